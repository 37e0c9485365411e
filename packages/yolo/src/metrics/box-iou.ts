// Intersection over union of plain boxes (numbers, no gradients; the differentiable family is in loss/boxes.ts).

/** Keeps the quotient finite for two empty boxes; the value of the reference implementation. */
const EPSILON = 1e-7;

/** A row-major list of boxes `x1, y1, x2, y2`, in any one unit. */
export type BoxList = Float32Array | Float64Array;

/** IoU of every box of `a` (n boxes) with every box of `b` (m boxes): n x m, row-major. */
export function boxIouMatrix(a: BoxList, b: BoxList): Float32Array {
  const n = a.length / 4;
  const m = b.length / 4;
  const out = new Float32Array(n * m);
  for (let i = 0; i < n; i++) {
    const x1 = a[4 * i]!;
    const y1 = a[4 * i + 1]!;
    const x2 = a[4 * i + 2]!;
    const y2 = a[4 * i + 3]!;
    const area = (x2 - x1) * (y2 - y1);
    for (let j = 0, o = 0; j < m; j++, o += 4) {
      const w = Math.min(x2, b[o + 2]!) - Math.max(x1, b[o]!);
      if (w <= 0) continue;
      const h = Math.min(y2, b[o + 3]!) - Math.max(y1, b[o + 1]!);
      if (h <= 0) continue;
      const inter = w * h;
      const other = (b[o + 2]! - b[o]!) * (b[o + 3]! - b[o + 1]!);
      out[i * m + j] = inter / (area + other - inter + EPSILON);
    }
  }
  return out;
}
