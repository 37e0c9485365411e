// How tensors lie for the kernels: feature maps NHWC with a border of zeros and channels padded by zero lanes, weights in
// panels of 8 columns.
import type { Pair } from "../../primitives/conv/geometry.ts";
import { padTo } from "../../primitives/matmul/panels.ts";
import { TILE_COLUMNS } from "./kernels/multiply-adds.ts";
import type { MapSteps } from "./plan/place.ts";
import type { Runtime } from "./runtime.ts";

/** Channels come in whole vectors of four. */
export const LANES = 4;

/** A feature map in memory. MapSteps are in bytes; `at` is the corner of the border. */
export interface FeatureMap {
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  /** Rows of zeros above and below, columns of zeros left and right. */
  readonly border: Pair;
  readonly at: number;
  readonly pixel: number;
  readonly row: number;
  readonly image: number;
}
interface MapSize {
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  readonly border?: Pair;
  /** Channels are padded to a multiple of this: 4 for kernels that take whole vectors of them. */
  readonly lanes?: number;
  /** Floats from pixel to pixel, if the map is some channels of a wider one. */
  readonly pixelStride?: number | undefined;
}

/** Memory for a feature map, all zeros. */
export function featureMap(runtime: Runtime, size: MapSize): FeatureMap {
  const { N, C, H, W, border = [0, 0], lanes = 1, pixelStride = 0 } = size;
  const pixel = 4 * Math.max(padTo(C, lanes), pixelStride);
  const row = pixel * (W + 2 * border[1]);
  const image = row * (H + 2 * border[0]);
  return { N, C, H, W, border, at: runtime.allocate((N * image) / 4), pixel, row, image };
}

/** Index, in floats, of pixel (i, j) of image n; negative coordinates lie in the border. */
export const pixelIndex = (m: FeatureMap, n: number, i: number, j: number): number =>
  (m.at + n * m.image + (i + m.border[0]) * m.row + (j + m.border[1]) * m.pixel) / 4;

/** Where the pixels lie, as plain numbers. */
export const mapSteps = (m: FeatureMap): MapSteps => ({
  ...{ at: 4 * pixelIndex(m, 0, 0, 0), pixel: m.pixel, row: m.row, image: m.image },
});
/** Some channels of a map, as a map. */
export const sliceMap = (m: FeatureMap, first: number, channels: number): FeatureMap => ({
  ...{ ...m, at: m.at + 4 * first, C: channels },
});

/** NCHW values into the map. */
export function writeMap({ floats }: Runtime, m: FeatureMap, values: Float32Array): void {
  eachPixel(m, (inside, plane) => {
    for (let c = 0; c < m.C; c++) floats[inside + c] = values[plane + c * m.H * m.W]!;
  });
}
/** The map as NCHW values. */
export function readMap({ floats }: Runtime, m: FeatureMap, values: Float32Array): void {
  eachPixel(m, (inside, plane) => {
    for (let c = 0; c < m.C; c++) values[plane + c * m.H * m.W] = floats[inside + c]!;
  });
}
function eachPixel(m: FeatureMap, f: (inside: number, plane: number) => void): void {
  for (let n = 0; n < m.N; n++)
    for (let i = 0; i < m.H; i++)
      for (let j = 0; j < m.W; j++) f(pixelIndex(m, n, i, j), (n * m.C * m.H + i) * m.W + j);
}

/** A matrix [depth][columns] in panels of 8 columns; `head` rows (the bias) come before it in every panel. */
export interface Panels {
  readonly at: number;
  readonly depth: number;
  readonly columns: number;
  readonly head: number;
  /** Bytes from panel to panel. */
  readonly step: number;
  readonly count: number;
}
/** Memory for panels, all zeros. */
export function panels(runtime: Runtime, depth: number, columns: number, head: 0 | 1): Panels {
  const count = Math.ceil(columns / TILE_COLUMNS);
  const floats = (head + depth) * TILE_COLUMNS;
  return { at: runtime.allocate(count * floats), depth, columns, head, step: 4 * floats, count };
}
/** Index, in floats, of row k and one column; row -1 is the head. */
export const panelIndex = (p: Panels, k: number, column: number): number =>
  (p.at + Math.floor(column / TILE_COLUMNS) * p.step) / 4 + (p.head + k) * TILE_COLUMNS + (column % TILE_COLUMNS);
