// The weight gradient's tile: outer products of 4 neighbouring floats of x and 8 channels of the cotangent, summed over
// pixels in eight registers. Both operands are read where they lie; 4 divides a run because channels are padded to 4.
import { define, integers } from "../assembler.ts";
import { load, op } from "../values.ts";

/** Floats of x, along a run of taps and channels, that one tile multiplies. */
export const TILE_RUN = 4;

/**
 * dw[k][0..8) += the sum over rows and pixels of x[row][pixel][k] * ct[row][pixel][0..8), for k < 4 * tiles.
 * xRow, xPixel, ctRow, ctPixel are byte steps; x's are larger by the stride of the convolution.
 */
export const convWeight = define(
  integers("x", "ct", "dw", "tiles", "rows", "pixels", "xRow", "xPixel", "ctRow", "ctPixel"),
  (f, { x, ct, dw, tiles, rows, pixels, xRow, xPixel, ctRow, ctPixel }) => {
    const [xAtRow, ctAtRow, xAt, ctAt, row, n] = f.locals("i32", 6);
    const sums = Array.from({ length: TILE_RUN }, () => f.locals("v128", 2));
    const channels = f.locals("v128", 2);
    const factor = f.local("v128");

    f.countdown(tiles, () => {
      for (const [i, pair] of sums.entries()) {
        for (const [j, sum] of pair.entries()) f.set(sum, load("v128.load", dw, 32 * i + 16 * j));
      }
      f.set(xAtRow, x);
      f.set(ctAtRow, ct);
      f.set(row, rows);
      f.countdown(row, () => {
        f.set(xAt, xAtRow);
        f.set(ctAt, ctAtRow);
        f.set(n, pixels);
        f.countdown(n, () => {
          for (const [j, c] of channels.entries()) f.set(c, load("v128.load", ctAt, 16 * j));
          for (const [i, pair] of sums.entries()) {
            f.set(factor, load("v128.load32_splat", xAt, 4 * i));
            for (const [j, sum] of pair.entries())
              f.set(sum, op("f32x4.add", sum, op("f32x4.mul", factor, channels[j]!)));
          }
          f.increase(xAt, xPixel);
          f.increase(ctAt, ctPixel);
        });
        f.increase(xAtRow, xRow);
        f.increase(ctAtRow, ctRow);
      });
      for (const [i, pair] of sums.entries()) {
        for (const [j, sum] of pair.entries()) f.store("v128.store", dw, sum, 32 * i + 16 * j);
      }
      f.increase(dw, 32 * TILE_RUN);
      f.increase(x, 4 * TILE_RUN);
    });
  },
);
