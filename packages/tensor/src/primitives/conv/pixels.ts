// Moves a block of output pixels p = (image, i, j) between NCHW arrays and the doubles of the products.
import { copyFunction, perArrayTypes } from "../jit.ts";
import type { FloatArray } from "../strided.ts";

// `at` is the element of channel 0, pixel 0 of the first image; channels are `area` apart and images `image` apart.
function packLoop(
  y: FloatArray,
  at: number,
  channels: number,
  area: number,
  image: number,
  p0: number,
  p1: number,
  tile: number,
  out: Float64Array,
  alongPixels: boolean,
): void {
  const n = (p1 - p0) | 0;
  const padded = (Math.ceil((alongPixels ? n : channels) / tile) * tile) | 0;
  const depth = alongPixels ? channels : n;
  const kept = alongPixels ? n : channels;
  for (let o = 0; o < channels; o++) {
    let p = p0;
    while (p < p1) {
      const b = Math.floor(p / area);
      const end = Math.min(p1, (b + 1) * area);
      const from = (at + b * image + o * area - b * area) | 0;
      if (alongPixels)
        for (; p < end; p++) {
          const i = (p - p0) | 0;
          const lane = i & (tile - 1);
          out[((i - lane) * depth + o * tile + lane) | 0] = y[(from + p) | 0]!;
        }
      else {
        const lane = o & (tile - 1);
        let q = ((o - lane) * depth + (p - p0) * tile + lane) | 0;
        for (; p < end; p++) {
          out[q] = y[(from + p) | 0]!;
          q = (q + tile) | 0;
        }
      }
    }
  }
  for (let i = kept; i < padded; i++) {
    const lane = i & (tile - 1);
    for (let k = 0; k < depth; k++) out[((i - lane) * depth + k * tile + lane) | 0] = 0;
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
    let p = p0;
    const row = (o * width - p0) | 0;
    while (p < p1) {
      const b = Math.floor(p / area);
      const end = Math.min(p1, (b + 1) * area);
      const to = (at + b * image + o * area - b * area) | 0;
      for (; p < end; p++) y[(to + p) | 0] = C[(row + p) | 0]!;
    }
  }
}

/** Packs channels x pixels into panels of `tile` (a power of two) pixels if alongPixels, else of `tile` channels. */
export const packOutput = perArrayTypes(() => copyFunction(packLoop));

/** Stores rows of `width` doubles, one per channel, to their pixels. */
export const storeOutput = perArrayTypes(() => copyFunction(storeLoop));
