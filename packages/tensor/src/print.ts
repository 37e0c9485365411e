// Text of a tensor, as people like to read it: aligned columns, the middle of long axes left out.
import type { Dtype, TypedArray } from "./dtype.ts";
import { rowMajor, type Shape } from "./shape.ts";

/** Longer axes show this many entries at each end. */
const edge = 3;
const significantDigits = 5;

const number = (x: number, dtype: Dtype): string => {
  if (dtype === "bool") return x ? "true" : "false";
  if (Number.isInteger(x) && Math.abs(x) < 1e7) return String(x);
  return String(Number(x.toPrecision(significantDigits)));
};

/** `tensor([[1, 2], [3, 4]], shape [2, 2], float32)`, over several lines from two axes on. */
export function format(data: TypedArray, shape: Shape, dtype: Dtype): string {
  const stride = rowMajor(shape);
  const shown = (n: number): (number | null)[] =>
    n <= 2 * edge + 1
      ? Array.from({ length: n }, (_, i) => i)
      : [...[0, 1, 2], null, ...Array.from({ length: edge }, (_, i) => n - edge + i)];
  let width = 0;
  const visit = (axis: number, offset: number, f: (i: number) => void): void => {
    if (axis === shape.length) f(offset);
    else for (const i of shown(shape[axis]!)) if (i !== null) visit(axis + 1, offset + i * stride[axis]!, f);
  };
  if (shape.length > 1)
    visit(0, 0, (i) => {
      width = Math.max(width, number(data[i]!, dtype).length);
    });
  const text = (axis: number, offset: number): string => {
    if (axis === shape.length) return number(data[offset]!, dtype).padStart(width);
    const items = shown(shape[axis]!).map((i) => (i === null ? "..." : text(axis + 1, offset + i * stride[axis]!)));
    const inner = axis === shape.length - 1;
    return `[${items.join(inner ? ", " : `,${"\n".repeat(Math.min(2, shape.length - axis - 1))}${" ".repeat(8 + axis)}`)}]`;
  };
  return `tensor(${text(0, 0)}, shape [${shape.join(", ")}], ${dtype})`;
}
