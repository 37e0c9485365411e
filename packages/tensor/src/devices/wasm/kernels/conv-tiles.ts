// The convolution over packed windows: tiles of 4 pixels x 8 output channels, written to any four places each. SiLU comes behind
// in a kernel of its own while a block lies in the cache: its constants would take registers from the sums.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { type Local, load, op, type Value } from "../values.ts";
import { sigmoidDivisor } from "./exp.ts";
import { COLUMN_BYTES, eachTile, multiplyAdds, TILE_ROWS, tile, tilesAtOnce } from "./multiply-adds.ts";

/**
 * y[targets[p]][0..8) = w[panel][0] + the sum over k < depth of windows[p / 4][k][p % 4] * w[panel][1 + k][0..8) for all
 * tiles of four pixels and all panels. `channel` is added to the targets, 32 bytes more for every panel. Steps in bytes.
 * A narrow kernel writes `channels` < 8 channels of the last panel; what lies behind them stays as it is. `wide` is for 256 bits.
 */
const convTilesOf = (wide: boolean, narrow: boolean) =>
  define(
    integers("windows", "step", "tiles", "targets", "channel", "channels", "w", "depth", "panels"),
    (f, { windows, step, tiles, targets, channel, channels, w, depth, panels }) => {
      const [b, end, n, at, next, target] = f.locals("i32", 6);
      const most = tilesAtOnce(wide);
      const [a, registers] = [f.locals("i32", most), tile(f, most)];
      f.countdown(panels, () => {
        f.set(end, op("i32.add", w, op("i32.mul", op("i32.add", depth, 1), COLUMN_BYTES)));
        f.set(next, windows);
        f.set(target, targets);
        f.set(n, tiles);
        eachTile(f, n, most, (count) => {
          const sums = registers.sums.slice(0, TILE_ROWS * count);
          for (const pair of sums) for (const [j, sum] of pair.entries()) f.set(sum, load("v128.load", w, 16 * j));
          for (const rows of a.slice(0, count)) {
            f.set(rows, next);
            f.increase(next, step);
          }
          f.set(b, op("i32.add", w, COLUMN_BYTES));
          multiplyAdds(f, { ...registers, sums }, { a: a.slice(0, count), b, end });
          for (const [i, pair] of sums.entries()) {
            f.set(at, op("i32.add", load("i32.load", target, 4 * i), channel));
            if (narrow) storeLanes(f, at, channels, pair);
            else for (const [j, sum] of pair.entries()) f.store("v128.store", at, sum, 16 * j);
          }
          f.increase(target, 16 * count);
        });
        f.set(w, end);
        f.increase(channel, COLUMN_BYTES);
      });
    },
  );

/** Stores the first `count` < 8 of eight floats. */
function storeLanes(
  f: FunctionBuilder,
  at: Local<"i32">,
  count: Local<"i32">,
  pair: readonly [Local<"v128">, Local<"v128">],
): void {
  f.block((leave) => {
    for (let lane = 0; lane < 7; lane++) {
      f.branchIf(leave, op("i32.le_s", count, lane));
      f.storeLane(at, pair[lane >> 2]!, lane & 3, 4 * lane);
    }
  });
}

/** y[targets[p]][0..`channels`) = silu(y) in place, for `pixels` places. What lies behind the channels stays as it is. */
const siluPlaces = define(integers("targets", "pixels", "channels"), (f, { targets, pixels, channels }) => {
  const [at, end] = f.locals("i32", 2);
  const values = f.locals("v128", 4);
  const divisor = sigmoidDivisor(f);
  const walk = (bytes: number, taken: readonly Local<"v128">[], read: (i: number) => Value<"v128">, write: Write) =>
    f.block((leave) =>
      f.loop((again) => {
        f.branchIf(leave, op("i32.gt_u", op("i32.add", at, bytes), end));
        for (const [i, value] of taken.entries()) f.set(value, read(i));
        for (const value of taken) f.set(value, op("f32x4.div", value, divisor(value)));
        for (const [i, value] of taken.entries()) write(value, i);
        f.increase(at, bytes);
        f.branch(again);
      }),
    );
  const element = () => load("v128.load32_splat", at);
  const vector = (i: number) => load("v128.load", at, 16 * i);
  const store: Write = (value, i) => f.store("v128.store", at, value, 16 * i);
  f.countdown(pixels, () => {
    f.set(at, load("i32.load", targets));
    f.set(end, op("i32.add", at, op("i32.shl", channels, 2)));
    for (const count of [values.length, 1]) walk(16 * count, values.slice(0, count), vector, store);
    walk(4, values.slice(0, 1), element, (value) => f.storeLane(at, value, 0));
    f.increase(targets, 4);
  });
});
type Write = (value: Local<"v128">, i: number) => void;

export const convTileKernels = (wide: boolean) => ({
  convTiles: convTilesOf(wide, false),
  convTilesNarrow: convTilesOf(wide, true),
  siluPlaces,
});
