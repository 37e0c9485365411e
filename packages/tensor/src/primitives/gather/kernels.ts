// Loops along one axis of a contiguous array: gather and its adjoint, cumulative sum, stable argsort.
import type { TypedArray } from "../strided.ts";

/** A shape seen from one axis: `outer` blocks of `size` rows of `inner` elements. */
export interface AxisGeometry {
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

/** The geometry of `shape` around `axis` (not negative). */
export function axisGeometry(shape: readonly number[], axis: number): AxisGeometry {
  const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
  return { outer: product(shape.slice(0, axis)), size: shape[axis]!, inner: product(shape.slice(axis + 1)) };
}

function indexAt(index: Int32Array, i: number, size: number): number {
  const at = index[i]!;
  if (at < 0 || at >= size) throw new RangeError(`expected an index in 0..${size - 1}, got ${at} (at element ${i})`);
  return at;
}

/** out[a, i, b] = x[a, index[a, i, b], b]; x has `size` rows per block, index and out have `count`. Throws on an index out of range. */
export function gather(x: TypedArray, index: Int32Array, out: TypedArray, g: AxisGeometry & { count: number }): void {
  const { outer, size, inner, count } = g;
  for (let a = 0, i = 0; a < outer; a++)
    for (let k = 0; k < count; k++)
      for (let b = 0; b < inner; b++, i++) out[i] = x[(a * size + indexAt(index, i, size)) * inner + b]!;
}

/** The adjoint of gather: out[a, index[a, i, b], b] += x[a, i, b]; out comes zeroed and has `size` rows per block, x and index `count`. */
export function scatterAdd(
  x: TypedArray,
  index: Int32Array,
  out: TypedArray,
  g: AxisGeometry & { count: number },
): void {
  const { outer, size, inner, count } = g;
  for (let a = 0, i = 0; a < outer; a++)
    for (let k = 0; k < count; k++)
      for (let b = 0; b < inner; b++, i++) {
        const at = (a * size + indexAt(index, i, size)) * inner + b;
        out[at] = out[at]! + x[i]!;
      }
}

/** Running sums along the axis, in double; from the far end if `reverse`. */
export function cumsum(
  x: TypedArray,
  out: TypedArray,
  { outer, size, inner, reverse }: AxisGeometry & { reverse: boolean },
): void {
  const step = reverse ? -inner : inner;
  for (let a = 0; a < outer; a++)
    for (let b = 0; b < inner; b++) {
      let sum = 0;
      let at = (a * size + (reverse ? size - 1 : 0)) * inner + b;
      for (let k = 0; k < size; k++, at += step) {
        sum += x[at]!;
        out[at] = sum;
      }
    }
}

/** The order that sorts each row along the axis; equal elements keep their order, NaN counts as the largest. */
export function argsort(
  x: TypedArray,
  out: Int32Array,
  { outer, size, inner, descending }: AxisGeometry & { descending: boolean },
): void {
  const keys = new Float64Array(size);
  const order = new Int32Array(size);
  const ascending = (i: number, j: number) => compare(keys[i]!, keys[j]!) || i - j;
  const falling = (i: number, j: number) => compare(keys[j]!, keys[i]!) || i - j;
  for (let a = 0; a < outer; a++)
    for (let b = 0; b < inner; b++) {
      const at = a * size * inner + b;
      for (let k = 0; k < size; k++) {
        keys[k] = x[at + k * inner]!;
        order[k] = k;
      }
      order.sort(descending ? falling : ascending);
      for (let k = 0; k < size; k++) out[at + k * inner] = order[k]!;
    }
}

function compare(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}
