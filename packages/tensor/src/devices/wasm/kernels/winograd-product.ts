// The matrix products between Winograd's transforms, one per position, in tiles of 4 x 8 sums in registers with
// one step of the summed index a turn, as in the convolution tile. One call takes a block of tiles through some positions.
import { define, integers } from "../assembler.ts";
import { f32x4, load, op } from "../values.ts";

/** Columns of a panel of weights. */
export const PANEL = 8;
/** Rows of a product's tile: tiles of the map that are multiplied together. */
export const FOUR = 4;

/**
 * m[position][tile][8 panels] = v[position][tile][depth] times u[position][panel][depth][8] for so many
 * positions. `fours` counts groups of 4 tiles. vPlane, uPlane, mPlane, vTile and mTile are byte steps; inside a position u has no gaps.
 */
export const winogradProduct = define(
  integers("v", "u", "m", "positions", "fours", "depth", "panels", "vPlane", "uPlane", "mPlane", "vTile", "mTile"),
  (f, { v, u, m, positions, fours, depth, panels, vPlane, uPlane, mPlane, vTile, mTile }) => {
    const [panel, four, next, out, column, weights, weight, end] = f.locals("i32", 8);
    const sources = f.locals("i32", FOUR);
    const sums = sources.map(() => f.locals("v128", 2));
    const factors = f.locals("v128", 2);
    const pixel = f.local("v128");

    f.countdown(positions, () => {
      f.set(column, m);
      f.set(weights, u);
      f.set(panel, panels);
      f.countdown(panel, () => {
        f.set(next, v);
        f.set(out, column);
        f.set(four, fours);
        f.countdown(four, () => {
          for (const source of sources) {
            f.set(source, next);
            f.increase(next, vTile);
          }
          for (const sum of sums.flat()) f.set(sum, f32x4(0));
          f.set(weight, weights);
          f.set(end, op("i32.add", weights, op("i32.mul", depth, 4 * PANEL)));
          // Every step ends in a branch, as in multiply-adds.ts; the pointers move once in four.
          f.block((leave) =>
            f.loop((again) => {
              for (const k of [0, 1, 2, 3]) {
                for (const [j, b] of factors.entries()) f.set(b, load("v128.load", weight, 16 * j));
                for (const [i, source] of sources.entries()) {
                  f.set(pixel, load("v128.load32_splat", source, 4 * k));
                  for (const [j, b] of factors.entries()) {
                    const sum = sums[i]![j]!;
                    f.set(sum, op("f32x4.add", sum, op("f32x4.mul", pixel, b)));
                  }
                }
                f.increase(weight, 4 * PANEL);
                if (k < 3) f.branchIf(leave, op("i32.eq", weight, end));
              }
              for (const source of sources) f.increase(source, 16);
              f.branchIf(again, op("i32.ne", weight, end));
            }),
          );
          for (const pair of sums) {
            for (const [j, sum] of pair.entries()) f.store("v128.store", out, sum, 16 * j);
            f.increase(out, mTile);
          }
        });
        f.set(weights, weight);
        f.increase(column, 4 * PANEL);
      });
      f.increase(v, vPlane);
      f.increase(u, uPlane);
      f.increase(m, mPlane);
    });
  },
);

/**
 * m[position][panel][group][4][8] += the sum over tiles of v[position][group][tile][4] times z[position][panel][tile][8]
 * for so many positions; where `fresh` is not 0, = instead of +=. vPlane, zPlane, mPlane, vGroup and zPanel are byte steps; inside a position m has no gaps.
 */
export const winogradOuter = define(
  integers(
    ...(["v", "z", "m", "positions", "fresh", "tiles", "groups", "panels"] as const),
    ...(["vPlane", "zPlane", "mPlane", "vGroup", "zPanel"] as const),
  ),
  (f, { v, z, m, positions, fresh, tiles, groups, panels, vPlane, zPlane, mPlane, vGroup, zPanel }) => {
    const [panel, group, n, source, next, channel, column, to] = f.locals("i32", 8);
    const sums = Array.from({ length: FOUR }, () => f.locals("v128", 2));
    const channels = f.locals("v128", 2);
    const factor = f.local("v128");

    f.countdown(positions, () => {
      f.set(column, z);
      f.set(to, m);
      f.set(panel, panels);
      f.countdown(panel, () => {
        f.set(next, v);
        f.set(group, groups);
        f.countdown(group, () => {
          f.if(
            fresh,
            () => {
              for (const sum of sums.flat()) f.set(sum, f32x4(0));
            },
            () => {
              for (const [i, sum] of sums.flat().entries()) f.set(sum, load("v128.load", to, 16 * i));
            },
          );
          f.set(source, next);
          f.set(channel, column);
          f.set(n, tiles);
          f.countdown(n, () => {
            for (const [j, c] of channels.entries()) f.set(c, load("v128.load", channel, 16 * j));
            for (const [i, pair] of sums.entries()) {
              f.set(factor, load("v128.load32_splat", source, 4 * i));
              for (const [j, sum] of pair.entries())
                f.set(sum, op("f32x4.add", sum, op("f32x4.mul", factor, channels[j]!)));
            }
            f.increase(source, 16);
            f.increase(channel, 4 * PANEL);
          });
          for (const [i, sum] of sums.flat().entries()) f.store("v128.store", to, sum, 16 * i);
          f.increase(to, 16 * PANEL);
          f.increase(next, vGroup);
        });
        f.increase(column, zPanel);
      });
      f.increase(v, vPlane);
      f.increase(z, zPlane);
      f.increase(m, mPlane);
    });
  },
);
