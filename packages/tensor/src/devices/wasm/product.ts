// The convolution tile over whole feature maps: sums over windows of the source, eight channels of the target a time.
import { padTo } from "../../primitives/matmul/panels.ts";
import { TILE_CHANNELS, TILE_PIXELS } from "./kernels/conv.ts";
import { type FeatureMap, LANES, type Panels, panelIndex, panels, pixelIndex } from "./layout.ts";
import type { Runtime } from "./runtime.ts";
import type { Axis } from "./windows.ts";

/** Source bytes that a block of pixels may touch: they stay in the second-level cache while all panels pass. */
const BLOCK_BYTES = 192 * 1024;
const LEAST_BLOCK = 48;
const LARGEST_BLOCK = 1024;

/** How a window's row lies in the source: as one run of floats where its taps touch, else as one run per tap. */
export function runsOf(source: FeatureMap, columns: Axis): { taps: number; run: number; tapGap: number } {
  const channels = padTo(source.C, LANES);
  const taps = columns.taps.length;
  if (taps === 1 || (columns.step === 1 && source.pixel === 4 * channels))
    return { taps: 1, run: taps * channels, tapGap: 0 };
  return { taps, run: channels, tapGap: columns.step * source.pixel - 4 * channels };
}

export interface Product {
  /** Packs weights given by target channel, source channel and tap. */
  pack(weight: (target: number, source: number, u: number, v: number) => number, bias?: Float32Array): void;
  run(): void;
}

/** target[to] = bias + the sum over the window at `from` of source * weights; the target's channels are padded to 8. */
export function product(
  runtime: Runtime,
  source: FeatureMap,
  target: FeatureMap,
  window: readonly [Axis, Axis],
): Product {
  const { kernels, floats } = runtime;
  const [rows, columns] = window;
  const channels = padTo(source.C, LANES);
  const weights = panels(runtime, rows.taps.length * columns.taps.length * channels, target.C, 1);
  const { taps, run, tapGap } = runsOf(source, columns);
  const rowGap = rows.step * source.row - taps * (4 * run + tapGap);

  const pairs = rows.places.flatMap((i) => columns.places.map((j) => ({ i, j })));
  const offset = (map: FeatureMap, i: number, j: number) => 4 * pixelIndex(map, 0, i, j) - map.at;
  const pixels = Math.max(pairs.length, TILE_PIXELS);
  const padded = Array.from({ length: pixels }, (_, p) => pairs[Math.min(p, pairs.length - 1)]!);
  const inOffsets = runtime.table(padded.map(({ i, j }) => offset(source, i.from, j.from)));
  const outOffsets = runtime.table(padded.map(({ i, j }) => offset(target, i.to, j.to)));

  const bytesPerPixel = Math.max(1, (source.H * source.W) / pairs.length) * source.pixel;
  const most = Math.max(LEAST_BLOCK, Math.min(LARGEST_BLOCK, Math.round(BLOCK_BYTES / bytesPerPixel)));
  const block = padTo(Math.ceil(pixels / Math.ceil(pixels / most)), TILE_PIXELS); // blocks of equal size
  return {
    pack: (weight, bias) => packWeights(floats, weights, channels, source.C, rows.taps, columns.taps, weight, bias),
    run: () => {
      for (let n = 0; n < source.N; n++)
        for (let p = 0; p < pixels; p += block) {
          const count = Math.max(TILE_PIXELS, Math.min(block, pixels - p));
          const first = Math.min(p, pixels - count); // a tile at least: then it overlaps the block before
          for (let panel = 0; panel < weights.count; panel++)
            kernels.conv({
              inOffsets: inOffsets + 4 * first,
              outOffsets: outOffsets + 4 * first,
              pixels: count,
              x: source.at + n * source.image,
              w: weights.at + panel * weights.step,
              y: target.at + n * target.image + 4 * TILE_CHANNELS * panel,
              rows: rows.taps.length,
              taps,
              run,
              tapGap,
              rowGap,
            });
        }
    },
  };
}

function packWeights(
  floats: Float32Array,
  weights: Panels,
  channels: number,
  sources: number,
  rowTaps: readonly number[],
  columnTaps: readonly number[],
  weight: (target: number, source: number, u: number, v: number) => number,
  bias?: Float32Array,
): void {
  for (let o = 0; o < weights.columns; o++) {
    floats[panelIndex(weights, -1, o)] = bias ? bias[o]! : 0;
    for (const [i, u] of rowTaps.entries())
      for (const [j, v] of columnTaps.entries())
        for (let c = 0; c < sources; c++)
          floats[panelIndex(weights, (i * columnTaps.length + j) * channels + c, o)] = weight(o, c, u, v);
  }
}
