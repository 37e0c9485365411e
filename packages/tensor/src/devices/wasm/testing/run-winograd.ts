// Winograd's three convolutions prepared for a geometry, as run-conv.ts prepares the direct ones.
import type { ConvGeometry } from "../../../primitives/conv/geometry.ts";
import type { FilterName } from "../kernels/winograd-matrices.ts";
import type { Launch } from "../launch.ts";
import { type FeatureMap, featureMap, pixelIndex, readMap, writeMap } from "../layout.ts";
import type { MapSteps } from "../plan/place.ts";
import type { Runtime } from "../runtime.ts";
import {
  type KernelSteps,
  winogradConv,
  winogradPack,
  winogradScratch,
  winogradWeightBytes,
} from "../winograd/conv.ts";
import { winogradConvWeight, winogradConvWeightScratch } from "../winograd/conv-weight.ts";
import type { Part } from "../winograd/tiles.ts";

export interface WinogradOptions {
  /** F23 unless said. */
  readonly filter?: FilterName;
  /** [O], added to every pixel. */
  readonly bias?: Float32Array;
  /** y = silu(conv(x, w) + bias). */
  readonly silu?: boolean;
  /** Floats from pixel to pixel of every map: more than its channels if it is a slice of a wider one. */
  readonly pixelStride?: number;
  /** Parts that the work is cut into; they run one after the other. */
  readonly threads?: number;
}

/** The map as the kernels see it from pixel (i, j) of image 0 on. */
const from = (m: FeatureMap, i: number, j: number): MapSteps => ({
  at: 4 * pixelIndex(m, 0, i, j),
  image: m.image,
  row: m.row,
  pixel: m.pixel,
});
const rowMajor = (at: number, C: number): KernelSteps => ({ at, o: 36 * C, c: 36, row: 12, tap: 4 });
const partsOf = (runtime: Runtime, threads: number, bytes: number): Part[] =>
  Array.from({ length: threads }, (_, thread) => ({ thread, threads, scratch: runtime.allocate(bytes / 4) }));

const isStrided = (g: ConvGeometry) => g.stride[0] === 2;
const filterOf = (g: ConvGeometry) => (isStrided(g) ? "F52" : "F23");

/** y = conv(x, w): write(x, w), read(y). */
export const runWinogradConv = (runtime: Runtime, g: ConvGeometry, options: WinogradOptions = {}): Launch =>
  launchConv(runtime, g, options, false);

/** x = the adjoint of the convolution in x: write(ct, w), read(x). */
export const runWinogradConvInput = (runtime: Runtime, g: ConvGeometry, options: WinogradOptions = {}): Launch =>
  launchConv(runtime, g, options, true);

function launchConv(
  runtime: Runtime,
  g: ConvGeometry,
  { filter = filterOf(g), bias, silu = false, pixelStride, threads = 1 }: WinogradOptions,
  adjoint: boolean,
): Launch {
  const { kernels, floats } = runtime;
  const { N, C, O } = g;
  const input = { N, C, H: g.H, W: g.W, pixelStride };
  const output = { N, C: O, H: g.Ho, W: g.Wo, pixelStride };
  const [source, result] = adjoint ? [output, input] : [input, output];
  const corner = g.padding.map((p) => (adjoint ? (isStrided(g) ? 0 : 2 - p) : p)) as [number, number]; // of the window of result (0, 0)
  const border = isStrided(g) ? ([1, 1] as const) : ([Math.max(0, corner[0]), Math.max(0, corner[1])] as const);
  const x = featureMap(runtime, { ...source, border });
  const y = featureMap(runtime, result);
  const [Ho, Wo] = isStrided(g) ? [g.Ho, g.Wo] : [y.H, y.W];
  const sizes = { filter, N, Ho, Wo, C: source.C, O: result.C, turned: adjoint };
  const [w, u] = [runtime.allocate(9 * C * O), runtime.allocate(winogradWeightBytes(sizes) / 4)];
  const parts = partsOf(runtime, threads, winogradScratch(sizes));
  const maps = { x: from(x, -corner[0], -corner[1]), y: from(y, 0, 0) };
  const descriptor = { ...sizes, ...maps, u, bias: bias ? runtime.place(bias) : 0, silu };
  return {
    path: "winograd",
    write: (values, weights) => {
      writeMap(runtime, x, values);
      floats.set(weights, w / 4);
    },
    run: () => {
      for (const part of parts) winogradPack(kernels, { filter, w: rowMajor(w, C), u, C, O, turned: adjoint }, part);
      for (const part of parts) winogradConv(kernels, descriptor, part);
    },
    read: (values) => readMap(runtime, y, values),
  };
}

/** w = the adjoint of the convolution in w: write(x, ct), read(w). */
export function runWinogradConvWeight(
  runtime: Runtime,
  g: ConvGeometry,
  { filter = filterOf(g), pixelStride, threads = 1 }: WinogradOptions = {},
): Launch {
  const { N, C, H, W, O, Ho, Wo } = g;
  const x = featureMap(runtime, { N, C, H, W, border: g.padding, pixelStride });
  const ct = featureMap(runtime, { N, C: O, H: Ho, W: Wo, pixelStride });
  const dw = runtime.allocate(9 * C * O);
  const parts = partsOf(runtime, threads, winogradConvWeightScratch({ filter, C, O }));
  const maps = { x: from(x, -g.padding[0], -g.padding[1]), ct: from(ct, 0, 0) };
  const descriptor = { filter, N, Ho, Wo, C, O, ...maps, dw: rowMajor(dw, C) };
  return {
    path: "winograd",
    write: (values, cotangent) => {
      writeMap(runtime, x, values);
      writeMap(runtime, ct, cotangent);
    },
    run: () => {
      for (const part of parts) winogradConvWeight(runtime.kernels, descriptor, part);
    },
    read: (values) => values.set(runtime.floats.subarray(dw / 4, dw / 4 + values.length)),
  };
}
