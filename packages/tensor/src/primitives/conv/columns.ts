// im2col and its adjoint over padded doubles. Element (k, p) of the columns, k = (channel, u, v) and p = (image, i, j), is
// x[base[p] + tap[k]]: two short tables stand for stride, dilation and kernel size.
import type { ConvGeometry } from "./geometry.ts";
import { paddedSize } from "./padded.ts";

/** Offset of every output pixel's window in `images` padded images of C / groups channels. */
export function windowBases({ C, groups, Ho, Wo, stride, ...g }: ConvGeometry, images: number): Int32Array {
  const { Hp, Wp } = paddedSize({ C, groups, Ho, Wo, stride, ...g });
  const base = new Int32Array(images * Ho * Wo);
  for (let b = 0, p = 0; b < images; b++)
    for (let i = 0; i < Ho; i++)
      for (let j = 0; j < Wo; j++) base[p++] = ((b * C) / groups) * Hp * Wp + i * stride[0] * Wp + j * stride[1];
  return base;
}

/** Offset of every kernel tap from its window's base. */
export function tapOffsets(g: ConvGeometry): Int32Array {
  const { Hp, Wp } = paddedSize(g);
  const channels = g.C / g.groups;
  const tap = new Int32Array(channels * g.kh * g.kw);
  for (let c = 0, k = 0; c < channels; c++)
    for (let u = 0; u < g.kh; u++)
      for (let v = 0; v < g.kw; v++) tap[k++] = (c * Hp + u * g.dilation[0]) * Wp + v * g.dilation[1];
  return tap;
}

/** Columns p0 <= p < p1, taps k0 <= k < k1, packed in panels of two pixels with the taps outermost. */
export function packPixels(
  x: Float64Array,
  base: Int32Array,
  p0: number,
  p1: number,
  tap: Int32Array,
  k0: number,
  k1: number,
  out: Float64Array,
): void {
  let q = 0;
  let p = p0;
  for (; p + 1 < p1; p += 2) {
    const left = base[p]!;
    const right = base[p + 1]!;
    for (let k = k0; k < k1; k++) {
      const t = tap[k]!;
      out[q] = x[(left + t) | 0]!;
      out[q + 1] = x[(right + t) | 0]!;
      q = (q + 2) | 0;
    }
  }
  if (p < p1) {
    const left = base[p]!;
    for (let k = k0; k < k1; k++) {
      out[q] = x[(left + tap[k]!) | 0]!;
      out[q + 1] = 0;
      q = (q + 2) | 0;
    }
  }
}

/** The same block packed in panels of two taps with the pixels outermost. */
export function packTaps(
  x: Float64Array,
  base: Int32Array,
  p0: number,
  p1: number,
  tap: Int32Array,
  k0: number,
  k1: number,
  out: Float64Array,
): void {
  let q = 0;
  let k = k0;
  for (; k + 1 < k1; k += 2) {
    const first = tap[k]!;
    const second = tap[k + 1]!;
    for (let p = p0; p < p1; p++) {
      const at = base[p]!;
      out[q] = x[(at + first) | 0]!;
      out[q + 1] = x[(at + second) | 0]!;
      q = (q + 2) | 0;
    }
  }
  if (k < k1) {
    const first = tap[k]!;
    for (let p = p0; p < p1; p++) {
      out[q] = x[(base[p]! + first) | 0]!;
      out[q + 1] = 0;
      q = (q + 2) | 0;
    }
  }
}

/** Adds columns, rows k of `width` doubles, back to where they were read: the adjoint of im2col. */
export function addColumns(
  columns: Float64Array,
  width: number,
  base: Int32Array,
  p0: number,
  p1: number,
  tap: Int32Array,
  k0: number,
  k1: number,
  x: Float64Array,
): void {
  const n = (p1 - p0) | 0;
  for (let k = k0; k < k1; k++) {
    const t = tap[k]!;
    const row = ((k - k0) * width) | 0;
    for (let i = 0; i < n; i++) {
      const at = (base[p0 + i]! + t) | 0;
      x[at] = x[at]! + columns[row + i]!;
    }
  }
}
