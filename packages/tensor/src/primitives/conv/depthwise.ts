// Convolutions of one channel each (groups = C = O): direct loops over padded planes of doubles, one kernel tap at a time.
import { copyFunction, perArrayTypes } from "../jit.ts";
import { scratch } from "../matmul/panels.ts";
import type { FloatArray } from "../strided.ts";
import type { ConvGeometry } from "./geometry.ts";
import { cropInto, paddedSize, padInto } from "./padded.ts";

// The same padded copies serve y and ct: a plane of Ho x Wo without padding.
const outputPlane = (g: ConvGeometry): ConvGeometry => ({ ...g, H: g.Ho, W: g.Wo, padding: [0, 0] });

// y[i, j] += weight * x[at + i * row + j * step]
function addTap(
  x: Float64Array,
  at: number,
  row: number,
  step: number,
  weight: number,
  y: Float64Array,
  Ho: number,
  Wo: number,
): void {
  for (let i = 0; i < Ho; i++) {
    let p = (at + i * row) | 0;
    const q = (i * Wo) | 0;
    for (let j = 0; j < Wo; j++) {
      y[q + j] = y[q + j]! + weight * x[p]!;
      p = (p + step) | 0;
    }
  }
}

// x[at + i * row + j * step] += weight * y[i, j]
function addTapBack(
  y: Float64Array,
  Ho: number,
  Wo: number,
  weight: number,
  x: Float64Array,
  at: number,
  row: number,
  step: number,
): void {
  for (let i = 0; i < Ho; i++) {
    let p = (at + i * row) | 0;
    const q = (i * Wo) | 0;
    for (let j = 0; j < Wo; j++) {
      x[p] = x[p]! + weight * y[q + j]!;
      p = (p + step) | 0;
    }
  }
}

// The sum over i, j of y[i, j] * x[at + i * row + j * step].
function dotTap(
  x: Float64Array,
  at: number,
  row: number,
  step: number,
  y: Float64Array,
  Ho: number,
  Wo: number,
): number {
  let total = 0;
  for (let i = 0; i < Ho; i++) {
    let p = (at + i * row) | 0;
    const q = (i * Wo) | 0;
    let sum = 0;
    for (let j = 0; j < Wo; j++) {
      sum += x[p]! * y[q + j]!;
      p = (p + step) | 0;
    }
    total += sum;
  }
  return total;
}

// y[i, j] = the 3 x 3 window at i * row + j * step, in one pass: what nearly every depthwise layer is.
function window3x3(x: Float64Array, t: Taps, w: FloatArray, at: number, y: Float64Array, Ho: number, Wo: number): void {
  const { row, step, down, right } = t;
  const w0 = w[at]!;
  const w1 = w[at + 1]!;
  const w2 = w[at + 2]!;
  const w3 = w[at + 3]!;
  const w4 = w[at + 4]!;
  const w5 = w[at + 5]!;
  const w6 = w[at + 6]!;
  const w7 = w[at + 7]!;
  const w8 = w[at + 8]!;
  for (let i = 0; i < Ho; i++) {
    let p = (i * row) | 0;
    const to = (i * Wo) | 0;
    for (let j = 0; j < Wo; j++) {
      const q = (p + down) | 0;
      const r = (q + down) | 0;
      const top = w0 * x[p]! + w1 * x[(p + right) | 0]! + w2 * x[(p + 2 * right) | 0]!;
      const middle = w3 * x[q]! + w4 * x[(q + right) | 0]! + w5 * x[(q + 2 * right) | 0]!;
      const bottom = w6 * x[r]! + w7 * x[(r + right) | 0]! + w8 * x[(r + 2 * right) | 0]!;
      y[to + j] = top + middle + bottom;
      p = (p + step) | 0;
    }
  }
}

// The nine sums over i, j of y[i, j] * window tap, added to sums[at ...].
function dots3x3(
  x: Float64Array,
  t: Taps,
  y: Float64Array,
  Ho: number,
  Wo: number,
  sums: Float64Array,
  at: number,
): void {
  const { row, step, down, right } = t;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let s4 = 0;
  let s5 = 0;
  let s6 = 0;
  let s7 = 0;
  let s8 = 0;
  for (let i = 0; i < Ho; i++) {
    let p = (i * row) | 0;
    const from = (i * Wo) | 0;
    for (let j = 0; j < Wo; j++) {
      const ct = y[from + j]!;
      const q = (p + down) | 0;
      const r = (q + down) | 0;
      s0 += ct * x[p]!;
      s1 += ct * x[(p + right) | 0]!;
      s2 += ct * x[(p + 2 * right) | 0]!;
      s3 += ct * x[q]!;
      s4 += ct * x[(q + right) | 0]!;
      s5 += ct * x[(q + 2 * right) | 0]!;
      s6 += ct * x[r]!;
      s7 += ct * x[(r + right) | 0]!;
      s8 += ct * x[(r + 2 * right) | 0]!;
      p = (p + step) | 0;
    }
  }
  const all = [s0, s1, s2, s3, s4, s5, s6, s7, s8];
  for (let k = 0; k < 9; k++) sums[at + k] = sums[at + k]! + all[k]!;
}

const convolve3x3 = perArrayTypes(() => copyFunction(window3x3));

// Steps in a padded plane: one output down and right, one kernel tap down and right.
interface Taps {
  readonly row: number;
  readonly step: number;
  readonly down: number;
  readonly right: number;
}

/** The tables and scratch planes of one depthwise convolution. */
function planesOf(g: ConvGeometry) {
  const { Hp, Wp } = paddedSize(g);
  const taps: { at: number; k: number }[] = [];
  for (let u = 0; u < g.kh; u++)
    for (let v = 0; v < g.kw; v++) taps.push({ at: u * g.dilation[0] * Wp + v * g.dilation[1], k: u * g.kw + v });
  const area = g.Ho * g.Wo;
  return {
    ...{ taps, area, row: g.stride[0] * Wp, step: g.stride[1], size: Hp * Wp },
    steps: { row: g.stride[0] * Wp, step: g.stride[1], down: g.dilation[0] * Wp, right: g.dilation[1] },
    is3x3: g.kh === 3 && g.kw === 3,
    padded: scratch("padded", Hp * Wp).fill(0, 0, Hp * Wp),
    plane: scratch("plane", area),
    out: outputPlane(g),
  };
}

/** y = conv(x, w). */
export function conv2d(x: FloatArray, w: FloatArray, y: FloatArray, g: ConvGeometry): void {
  const { taps, area, row, step, steps, is3x3, padded, plane, out } = planesOf(g);
  const convolve = convolve3x3(w);
  for (let c = 0; c < g.N * g.C; c++) {
    padInto(x, c * g.H * g.W, 1, g, padded, 0);
    const from = (c % g.C) * taps.length;
    if (is3x3) convolve(padded, steps, w, from, plane, g.Ho, g.Wo);
    else {
      plane.fill(0, 0, area);
      for (const { at, k } of taps) addTap(padded, at, row, step, w[from + k]!, plane, g.Ho, g.Wo);
    }
    cropInto(plane, 0, 1, out, y, c * area);
  }
}

/** x = the adjoint of conv2d in x applied to ct. */
export function convInput(ct: FloatArray, w: FloatArray, x: FloatArray, g: ConvGeometry): void {
  const { taps, area, row, step, size, padded, plane, out } = planesOf(g);
  for (let c = 0; c < g.N * g.C; c++) {
    padInto(ct, c * area, 1, out, plane, 0);
    padded.fill(0, 0, size);
    for (const { at, k } of taps) addTapBack(plane, g.Ho, g.Wo, w[(c % g.C) * taps.length + k]!, padded, at, row, step);
    cropInto(padded, 0, 1, g, x, c * g.H * g.W);
  }
}

/** w = the adjoint of conv2d in w applied to ct. */
export function convWeight(x: FloatArray, ct: FloatArray, w: FloatArray, g: ConvGeometry): void {
  const { taps, area, row, step, steps, is3x3, padded, plane, out } = planesOf(g);
  const sums = new Float64Array(g.C * taps.length);
  for (let c = 0; c < g.N * g.C; c++) {
    padInto(x, c * g.H * g.W, 1, g, padded, 0);
    padInto(ct, c * area, 1, out, plane, 0);
    const to = (c % g.C) * taps.length;
    if (is3x3) dots3x3(padded, steps, plane, g.Ho, g.Wo, sums, to);
    else for (const { at, k } of taps) sums[to + k] = sums[to + k]! + dotTap(padded, at, row, step, plane, g.Ho, g.Wo);
  }
  w.set(sums);
}
