// im2col and its adjoint over padded doubles. Element (k, p) of the columns, k = (channel, u, v) and p = (image, i, j), is
// x[base[p] + tap[k]]: two short tables stand for stride, dilation and kernel size. The loops take three elements a turn,
// because V8 checks the types of the arrays once per turn and kernels are 3 wide more often than not.
import type { ConvGeometry } from "./geometry.ts";
import { paddedSize } from "./padded.ts";

/** Offset of every output pixel's window in `images` padded images of C / groups channels. */
export function windowBases(g: ConvGeometry, images: number): Int32Array {
  const { C, groups, Ho, Wo, stride } = g;
  const { Hp, Wp } = paddedSize(g);
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
    let k = k0;
    for (; k + 2 < k1; k += 3) {
      const t0 = tap[k]!;
      const t1 = tap[k + 1]!;
      const t2 = tap[k + 2]!;
      out[q] = x[(left + t0) | 0]!;
      out[q + 1] = x[(right + t0) | 0]!;
      out[q + 2] = x[(left + t1) | 0]!;
      out[q + 3] = x[(right + t1) | 0]!;
      out[q + 4] = x[(left + t2) | 0]!;
      out[q + 5] = x[(right + t2) | 0]!;
      q = (q + 6) | 0;
    }
    for (; k < k1; k++) {
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
    let p = p0;
    for (; p + 2 < p1; p += 3) {
      const a = base[p]!;
      const b = base[p + 1]!;
      const c = base[p + 2]!;
      out[q] = x[(a + first) | 0]!;
      out[q + 1] = x[(a + second) | 0]!;
      out[q + 2] = x[(b + first) | 0]!;
      out[q + 3] = x[(b + second) | 0]!;
      out[q + 4] = x[(c + first) | 0]!;
      out[q + 5] = x[(c + second) | 0]!;
      q = (q + 6) | 0;
    }
    for (; p < p1; p++) {
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
    let i = 0;
    for (; i + 1 < n; i += 2) {
      const a = (base[p0 + i]! + t) | 0;
      const b = (base[p0 + i + 1]! + t) | 0;
      x[a] = x[a]! + columns[row + i]!;
      x[b] = x[b]! + columns[row + i + 1]!;
    }
    for (; i < n; i++) {
      const at = (base[p0 + i]! + t) | 0;
      x[at] = x[at]! + columns[row + i]!;
    }
  }
}
