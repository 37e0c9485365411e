// The convolution tile: 4 pixels x 8 output channels in eight registers, one multiply-add per lane and turn. The source
// lies NHWC with a border of zeros, so a row of a window is one run of floats that is read in place.
//
// One step of k a turn: unrolled, V8 up to version 12 issues all loads first and spills half of them. With 8
// accumulators, 2 weights and a broadcast the tile fits into 16 registers: about 94 % of what the lanes can do.
import { define, integers } from "../assembler.ts";
import { type Local, load, op, select } from "../values.ts";

/** Pixels of a tile. */
export const TILE_PIXELS = 4;
/** Output channels of a tile: the width of a panel of weights. */
export const TILE_CHANNELS = 8;

/**
 * y[out[p]][0..8) = bias + the sum over rows, taps and run of x[in[p] + ...] * w[...][0..8) for all p < pixels.
 * `inOffsets` and `outOffsets` are tables of byte offsets, one i32 per pixel, at least 4 pixels; the last tile overlaps
 * the one before it. `w` is a panel [1 + rows * taps * run][8] whose first row is the bias. `tapGap` and `rowGap` are
 * the bytes from the end of a run to the next tap, and from there to the next row.
 */
export const conv = define(
  integers("inOffsets", "outOffsets", "pixels", "x", "w", "y", "rows", "taps", "run", "tapGap", "rowGap"),
  (f, { inOffsets, outOffsets, pixels, x, w, y, rows, taps, run, tapGap, rowGap }) => {
    const [p, weight, row, tap, n, last] = f.locals("i32", 6);
    const sources = f.locals("i32", TILE_PIXELS);
    const sums = sources.map(() => f.locals("v128", 2));
    const weights = f.locals("v128", 2);
    const pixel = f.local("v128");
    const offset = (table: Local<"i32">, i: number) =>
      load("i32.load", op("i32.add", table, op("i32.shl", p, 2)), 4 * i);

    f.loop((again) => {
      f.set(last, op("i32.sub", pixels, TILE_PIXELS));
      f.set(p, select(op("i32.le_s", p, last), p, last));
      for (const [i, source] of sources.entries()) {
        f.set(source, op("i32.add", offset(inOffsets, i), x));
      }
      for (const pair of sums) for (const [j, sum] of pair.entries()) f.set(sum, load("v128.load", w, 16 * j));
      f.set(weight, op("i32.add", w, 4 * TILE_CHANNELS));
      f.set(row, rows);
      f.countdown(row, () => {
        f.set(tap, taps);
        f.countdown(tap, () => {
          f.set(n, run);
          f.countdown(n, () => {
            for (const [j, b] of weights.entries()) f.set(b, load("v128.load", weight, 16 * j));
            for (const [i, source] of sources.entries()) {
              f.set(pixel, load("v128.load32_splat", source));
              for (const [j, b] of weights.entries()) {
                const sum = sums[i]![j]!;
                f.set(sum, op("f32x4.add", sum, op("f32x4.mul", pixel, b)));
              }
            }
            for (const source of sources) f.increase(source, 4);
            f.increase(weight, 4 * TILE_CHANNELS);
          });
          for (const source of sources) f.increase(source, tapGap);
        });
        for (const source of sources) f.increase(source, rowGap);
      });
      for (const [i, pair] of sums.entries()) {
        f.set(last, op("i32.add", offset(outOffsets, i), y));
        for (const [j, sum] of pair.entries()) f.store("v128.store", last, sum, 16 * j);
      }
      f.increase(p, TILE_PIXELS);
      f.branchIf(again, op("i32.lt_s", p, pixels));
    });
  },
);
