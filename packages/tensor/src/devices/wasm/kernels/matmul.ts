// Matrix product: the tile of the convolution, 4 rows x 8 columns in eight registers, one step of k a turn, over rows
// of any strides and a panel of eight packed columns.
import { define, integers } from "../assembler.ts";
import { f32x4, type Local, load, op, select, type Value } from "../values.ts";
import { matmulTiles, packEights, packFours } from "./matmul-tiles.ts";

/** Rows of a tile, and columns of a panel. */
const ROWS = 4;
export const PANEL = 8;
const LANES = 4;

const smaller = (a: Value<"i32">, b: Local<"i32">) => select(op("i32.lt_s", a, b), a, b);

/**
 * y[row][column] = the sum over k of a[row][k] * panel[k][column] for column < columns <= 8. Steps in bytes; rows and
 * depth at least 1. A tile beyond the last row computes that row again.
 */
const matmulPanel = define(
  integers("a", "panel", "y", "rows", "depth", "columns", "aRow", "aStep", "yRow", "yStep"),
  (f, { a, panel, y, rows, depth, columns, aRow, aStep, yRow, yStep }) => {
    const [row, last, n, weight, whole, at] = f.locals("i32", 6);
    const sources = f.locals("i32", ROWS);
    const sums = sources.map(() => f.locals("v128", 2));
    const weights = f.locals("v128", 2);
    const element = f.local("v128");
    const start = (base: Local<"i32">, i: number, step: Local<"i32">) =>
      op("i32.add", base, op("i32.mul", smaller(op("i32.add", row, i), last), step));
    f.set(last, op("i32.sub", rows, 1));
    f.set(whole, op("i32.and", op("i32.eq", yStep, 4), op("i32.eq", columns, PANEL)));
    f.loop((again) => {
      for (const [i, source] of sources.entries()) f.set(source, start(a, i, aRow));
      for (const sum of sums.flat()) f.set(sum, f32x4(0));
      f.set(weight, panel);
      f.set(n, depth);
      f.countdown(n, () => {
        for (const [j, b] of weights.entries()) f.set(b, load("v128.load", weight, 16 * j));
        for (const [i, source] of sources.entries()) {
          f.set(element, load("v128.load32_splat", source));
          for (const [j, b] of weights.entries())
            f.set(sums[i]![j]!, op("f32x4.add", sums[i]![j]!, op("f32x4.mul", element, b)));
        }
        for (const source of sources) f.increase(source, aStep);
        f.increase(weight, 4 * PANEL);
      });
      for (const [i, pair] of sums.entries()) {
        f.set(at, start(y, i, yRow));
        f.if(
          whole,
          () => {
            for (const [j, sum] of pair.entries()) f.store("v128.store", at, sum, 16 * j);
          },
          () => {
            for (let column = 0; column < PANEL; column++) {
              const store = () => f.storeLane(at, pair[Math.floor(column / LANES)]!, column % LANES);
              f.if(op("i32.gt_s", columns, column), store);
              f.increase(at, yStep);
            }
          },
        );
      }
      f.increase(row, ROWS);
      f.branchIf(again, op("i32.lt_s", row, rows));
    });
  },
);

export const matmulKernels = { matmulPanel, matmulTiles, packFours, packEights };
