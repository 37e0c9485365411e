// Convolutions of one channel each (groups = C = O): direct loops over padded planes of doubles, one kernel tap at a time.
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

/** Calls `visit` with the padded and the output plane of every image and channel, and each tap's place in both tables. */
function eachPlane(g: ConvGeometry) {
  const { Hp, Wp } = paddedSize(g);
  const taps: { at: number; k: number }[] = [];
  for (let u = 0; u < g.kh; u++)
    for (let v = 0; v < g.kw; v++) taps.push({ at: u * g.dilation[0] * Wp + v * g.dilation[1], k: u * g.kw + v });
  const area = g.Ho * g.Wo;
  return {
    ...{ taps, area, row: g.stride[0] * Wp, step: g.stride[1], size: Hp * Wp },
    padded: scratch("padded", Hp * Wp).fill(0, 0, Hp * Wp),
    plane: scratch("plane", area),
    out: outputPlane(g),
  };
}

/** y = conv(x, w). */
export function conv2d(x: FloatArray, w: FloatArray, y: FloatArray, g: ConvGeometry): void {
  const { taps, area, row, step, padded, plane, out } = eachPlane(g);
  for (let c = 0; c < g.N * g.C; c++) {
    padInto(x, c * g.H * g.W, 1, g, padded, 0);
    plane.fill(0, 0, area);
    for (const { at, k } of taps) addTap(padded, at, row, step, w[(c % g.C) * taps.length + k]!, plane, g.Ho, g.Wo);
    cropInto(plane, 0, 1, out, y, c * area);
  }
}

/** x = the adjoint of conv2d in x applied to ct. */
export function convInput(ct: FloatArray, w: FloatArray, x: FloatArray, g: ConvGeometry): void {
  const { taps, area, row, step, size, padded, plane, out } = eachPlane(g);
  for (let c = 0; c < g.N * g.C; c++) {
    padInto(ct, c * area, 1, out, plane, 0);
    padded.fill(0, 0, size);
    for (const { at, k } of taps) addTapBack(plane, g.Ho, g.Wo, w[(c % g.C) * taps.length + k]!, padded, at, row, step);
    cropInto(padded, 0, 1, g, x, c * g.H * g.W);
  }
}

/** w = the adjoint of conv2d in w applied to ct. */
export function convWeight(x: FloatArray, ct: FloatArray, w: FloatArray, g: ConvGeometry): void {
  const { taps, area, row, step, padded, plane, out } = eachPlane(g);
  const sums = new Float64Array(g.C * taps.length);
  for (let c = 0; c < g.N * g.C; c++) {
    padInto(x, c * g.H * g.W, 1, g, padded, 0);
    padInto(ct, c * area, 1, out, plane, 0);
    for (const { at, k } of taps) {
      const i = (c % g.C) * taps.length + k;
      sums[i] = sums[i]! + dotTap(padded, at, row, step, plane, g.Ho, g.Wo);
    }
  }
  w.set(sums);
}
