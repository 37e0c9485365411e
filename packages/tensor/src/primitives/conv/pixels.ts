// Moves a block of pixels p = (image, i, j) between NCHW arrays and the doubles of the products. `at` is channel 0, pixel 0
// of the first image; channels are `area` elements apart and images `image` apart.
import { copyFunction, perArrayTypes } from "../jit.ts";
import type { FloatArray } from "../strided.ts";

function packPixelsLoop(
  y: FloatArray,
  at: number,
  channels: number,
  area: number,
  image: number,
  p0: number,
  p1: number,
  out: Float64Array,
): void {
  const panel = (2 * channels) | 0;
  for (let o = 0; o < channels; o++) {
    let p = p0 | 0;
    let q = (2 * o) | 0;
    let lane = 0;
    while (p < p1) {
      const b = Math.floor(p / area) | 0;
      const end = Math.min(p1, (b + 1) * area) | 0;
      const from = (at + b * image + o * area - b * area) | 0;
      if (lane === 1) {
        out[q + 1] = y[(from + p) | 0]!;
        q = (q + panel) | 0;
        p = (p + 1) | 0;
        lane = 0;
      }
      for (; p + 1 < end; p = (p + 2) | 0) {
        const i = (from + p) | 0;
        out[q] = y[i]!;
        out[q + 1] = y[i + 1]!;
        q = (q + panel) | 0;
      }
      if (p < end) {
        out[q] = y[(from + p) | 0]!;
        p = (p + 1) | 0;
        lane = 1;
      }
    }
    if (lane === 1) out[q + 1] = 0;
  }
}

function packChannelsLoop(
  y: FloatArray,
  at: number,
  channels: number,
  area: number,
  image: number,
  p0: number,
  p1: number,
  tile: number,
  out: Float64Array,
): void {
  const n = (p1 - p0) | 0;
  for (let o = 0; o % tile !== 0 || o < channels; o++) {
    const lane = o % tile;
    let q = ((o - lane) * n + lane) | 0;
    let p = p0 | 0;
    while (p < p1) {
      const b = Math.floor(p / area) | 0;
      const end = Math.min(p1, (b + 1) * area) | 0;
      const from = (at + b * image + o * area - b * area) | 0;
      if (o < channels)
        for (; p < end; p++) {
          out[q] = y[(from + p) | 0]!;
          q = (q + tile) | 0;
        }
      else
        for (; p < end; p++) {
          out[q] = 0;
          q = (q + tile) | 0;
        }
    }
  }
}

function storeLoop(
  C: Float64Array,
  width: number,
  y: FloatArray,
  at: number,
  channels: number,
  area: number,
  image: number,
  p0: number,
  p1: number,
): void {
  for (let o = 0; o < channels; o++) {
    let p = p0 | 0;
    const row = (o * width - p0) | 0;
    while (p < p1) {
      const b = Math.floor(p / area) | 0;
      const end = Math.min(p1, (b + 1) * area) | 0;
      const to = (at + b * image + o * area - b * area) | 0;
      for (; p < end; p++) y[(to + p) | 0] = C[(row + p) | 0]!;
    }
  }
}

/** Packs pixels p0 <= p < p1 in panels of two pixels with the channels outermost. */
export const packPixelPanels = perArrayTypes(() => copyFunction(packPixelsLoop));

/** Packs the same block in panels of `tile` channels with the pixels outermost; missing channels become zeros. */
export const packChannelPanels = perArrayTypes(() => copyFunction(packChannelsLoop));

/** Stores rows of `width` doubles, one per channel, to their pixels. */
export const storePixels = perArrayTypes(() => copyFunction(storeLoop));
