// The convolution over packed windows: tiles of 4 pixels x 8 output channels, written to any four places each. SiLU comes behind
// in a kernel of its own while a block lies in the cache: its constants would take registers from the sums.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { type Local, load, op } from "../values.ts";
import { sigmoidDivisor } from "./exp.ts";
import { COLUMN_BYTES, eachTile, multiplyAdds, TILE_ROWS, tile, tilesAtOnce } from "./multiply-adds.ts";

interface Epilogue {
  /** Writes `channels` < 8 channels of the last panel and leaves what lies behind them alone. */
  readonly narrow?: boolean;
  /** For vectors of 256 bits. */
  readonly wide?: boolean;
}

/**
 * y[targets[p]][0..8) = w[panel][0] + the sum over k < depth of windows[p / 4][k][p % 4] * w[panel][1 + k][0..8) for all
 * tiles of four pixels and all panels. `channel` is added to the targets, 32 bytes more for every panel. Steps in bytes.
 * `channels` counts for the narrow kernels alone.
 */
const convTilesOf = ({ narrow = false, wide = false }: Epilogue) =>
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
  const [at, end, last] = f.locals("i32", 3);
  const values = f.locals("v128", 4);
  const divisor = sigmoidDivisor(f);
  const several = (count: number) => {
    f.set(last, op("i32.sub", end, 16 * count));
    f.block((leave) =>
      f.loop((again) => {
        f.branchIf(leave, op("i32.gt_u", at, last));
        const taken = values.slice(0, count);
        for (const [i, value] of taken.entries()) f.set(value, load("v128.load", at, 16 * i));
        for (const value of taken) f.set(value, op("f32x4.div", value, divisor(value)));
        for (const [i, value] of taken.entries()) f.store("v128.store", at, value, 16 * i);
        f.increase(at, 16 * count);
        f.branch(again);
      }),
    );
  };
  f.countdown(pixels, () => {
    f.set(at, load("i32.load", targets));
    f.set(end, op("i32.add", at, op("i32.shl", channels, 2)));
    several(values.length);
    several(1);
    f.block((leave) =>
      f.loop((again) => {
        f.branchIf(leave, op("i32.ge_u", at, end));
        f.set(values[0], load("v128.load32_splat", at));
        f.storeLane(at, op("f32x4.div", values[0], divisor(values[0])), 0);
        f.increase(at, 4);
        f.branch(again);
      }),
    );
    f.increase(targets, 4);
  });
});

export const convTileKernels = (wide: boolean) => ({
  convTiles: convTilesOf({ wide }),
  convTilesNarrow: convTilesOf({ wide, narrow: true }),
  siluPlaces,
});
