// Typed arrays seen through a shape, strides and an offset: what the kernels of pointwise, copy and reduce read.

export type FloatArray = Float32Array | Float64Array;
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Element `[i, j, ...]` is `data[offset + i * stride[0] + j * stride[1] + ...]`; a stride of 0 repeats, a negative one flips. */
export interface Strided<A extends TypedArray = TypedArray> {
  readonly data: A;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly offset: number;
}

/** Drops dims of size 1 and joins neighbours that every operand walks with one stride: fewer dims, longer inner loops. */
export function collapse(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
): { shape: number[]; strides: number[][] } {
  const joined: number[] = [];
  const steps: number[][] = strides.map(() => []);
  for (let d = 0; d < shape.length; d++) {
    const n = shape[d]!;
    if (n === 1) continue;
    const last = joined.length - 1;
    if (last >= 0 && strides.every((s, t) => steps[t]![last] === s[d]! * n)) {
      joined[last] = joined[last]! * n;
      strides.forEach((s, t) => {
        steps[t]![last] = s[d]!;
      });
    } else {
      joined.push(n);
      strides.forEach((s, t) => {
        steps[t]!.push(s[d]!);
      });
    }
  }
  return { shape: joined, strides: steps };
}

/** Calls `visit` with one offset per operand for every index of `shape`, last dim fastest. `visit` may not keep the array. */
export function eachOffset(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (offsets: readonly number[]) => void,
): void {
  if (shape.includes(0)) return;
  const index = shape.map(() => 0);
  const offsets = strides.map(() => 0);
  for (;;) {
    visit(offsets);
    let d = shape.length - 1;
    for (; d >= 0; d--) {
      index[d] = index[d]! + 1;
      if (index[d]! < shape[d]!) {
        for (let t = 0; t < strides.length; t++) offsets[t] = offsets[t]! + strides[t]![d]!;
        break;
      }
      index[d] = 0;
      for (let t = 0; t < strides.length; t++) offsets[t] = offsets[t]! - (shape[d]! - 1) * strides[t]![d]!;
    }
    if (d < 0) return;
  }
}
