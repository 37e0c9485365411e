// Small windows in the middle of a block's window: how they sit in the kernel, and where they look on a feature map.
import { conv2d, type Dtype, pad, reshape, slice, type Tensor, tensor } from "@orepa/tensor";
import type { Geometry } from "./geometry.ts";

/** Ones at the centre of [k, k], zeros elsewhere. */
export const centre = (k: number, dtype: Dtype): Tensor =>
  tensor(
    Float64Array.from({ length: k * k }, (_, i) => Number(i === (k * k - 1) / 2)),
    { shape: [k, k], dtype },
  );

/** E [rows, columns, 1, 1], E[r, r mod columns] = 1: the identity of each group, one below the other. */
export function identityMatrix(rows: number, columns: number): Tensor {
  const values = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) values[r * columns + (r % columns)] = 1;
  return tensor(values, { shape: [rows, columns, 1, 1] });
}

/** Taps of one axis of a window, and the distance between them in taps of the block's window. */
const span = (taps: number, spacing: number): number => spacing * (taps - 1) + 1;

/** A kernel [O, I/G, a, b] as one of [O, I/G, k, k]: its taps `spacing` apart around the centre, zeros elsewhere. */
export const embed = (kernel: Tensor, k: number, spacing = 1): Tensor =>
  [2, 3].reduce((x, axis) => {
    const taps = x.shape[axis]!;
    const apart = slice(spread(x, axis, spacing), axis, 0, span(taps, spacing));
    const margin = (k - span(taps, spacing)) / 2;
    return pad(apart, axis, margin, margin);
  }, kernel);

/** Zeros behind each tap of an axis: [.., n, ..] to [.., n spacing, ..]. */
function spread(x: Tensor, axis: number, spacing: number): Tensor {
  if (spacing === 1) return x;
  const [before, n, after] = [x.shape.slice(0, axis), x.shape[axis]!, x.shape.slice(axis + 1)];
  return reshape(pad(reshape(x, [...before, n, 1, ...after]), axis + 1, 0, spacing - 1), [
    ...before,
    n * spacing,
    ...after,
  ]);
}

/** The adjoint of `embed`: the taps of [O, I/G, k, k] that a window of `size` taps, `spacing` apart, has. */
export const taken = (kernel: Tensor, size: readonly [number, number], spacing = 1): Tensor =>
  [2, 3].reduce((x, axis) => {
    const width = span(size[axis - 2]!, spacing);
    const margin = (x.shape[axis]! - width) / 2;
    return slice(x, axis, margin, margin + width, spacing);
  }, kernel);

/**
 * A convolution with a small kernel [O, I/G, a, b] around the centre of the block's window. It starts further inside the picture than
 * the window does: the padding shrinks, and where none is left the picture does.
 */
export function convCentred(x: Tensor, kernel: Tensor, g: Geometry, spacing = 1): Tensor {
  const { kernelSize: k, stride, padding, dilation, groups } = g;
  const outside = [2, 3].map((axis) => padding - (dilation * (k - span(kernel.shape[axis]!, spacing))) / 2);
  const inner = [2, 3].reduce((map, axis) => {
    const cut = Math.max(0, -outside[axis - 2]!);
    return cut === 0 ? map : slice(map, axis, cut, map.shape[axis]! - cut);
  }, x);
  const [top, left] = outside.map((rows) => Math.max(0, rows)) as [number, number];
  return conv2d(inner, kernel, { stride, padding: [top, left], dilation: dilation * spacing, groups });
}

/** The pixel under the window's centre at each of its places: x itself where the window keeps the size. */
export const centrePixels = (x: Tensor, { kernelSize: k, stride, padding, dilation }: Geometry): Tensor =>
  [2, 3].reduce((map, axis) => {
    const outside = padding - (dilation * (k - 1)) / 2;
    const moved =
      outside > 0
        ? pad(map, axis, outside, outside)
        : outside < 0
          ? slice(map, axis, -outside, map.shape[axis]! + outside)
          : map;
    return stride === 1 ? moved : slice(moved, axis, 0, moved.shape[axis]!, stride);
  }, x);
