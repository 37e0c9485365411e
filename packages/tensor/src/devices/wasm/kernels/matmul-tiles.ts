// Matrix product with both operands packed: tiles of 4 rows x 8 columns, the inner loop that the convolutions use.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { f32x4, type Local, load, loadLane, op, select, type Value, value } from "../values.ts";
import { COLUMN_BYTES, multiplyAdds, TILE_COLUMNS, TILE_ROWS, tile } from "./multiply-adds.ts";

const LANES = 4;

/**
 * y[row][8 panel + column] = the sum over k < depth of a[row / 4][k][row % 4] * b[panel][k][column], or += where `fresh` is 0, for
 * `columns` <= 8 columns of every panel. Steps in bytes: aTile from four rows to the next, bPanel from panel to panel.
 */
export const matmulTiles = define(
  integers("a", "aTile", "b", "bPanel", "panels", "y", "rows", "depth", "columns", "yRow", "yStep", "fresh"),
  (f, { a, aTile, b, bPanel, panels, y, rows, depth, columns, yRow, yStep, fresh }) => {
    const [row, next, column, end, left, to, at, lane] = f.locals("i32", 8);
    const [whole] = f.locals("i32", 1);
    const registers = tile(f);
    const { sums } = registers;
    const previous = f.local("v128");
    f.set(whole, op("i32.and", op("i32.eq", yStep, 4), op("i32.eq", columns, TILE_COLUMNS)));
    const vectors = (pair: readonly Local<"v128">[]) => {
      for (const [j, sum] of pair.entries()) {
        f.if(fresh, nothing, () => f.set(sum, op("f32x4.add", load("v128.load", at, 16 * j), sum)));
        f.store("v128.store", at, sum, 16 * j);
      }
    };
    const elements = (pair: readonly Local<"v128">[]) => {
      const each = (use: (j: number, i: number) => void) => {
        f.set(lane, at);
        for (let k = 0; k < TILE_COLUMNS; k++) {
          f.if(op("i32.gt_s", columns, k), () => use(k >> 2, k & 3));
          f.increase(lane, yStep);
        }
      };
      f.if(fresh, nothing, () => {
        each((j, i) => {
          f.set(previous, loadLane(lane, f32x4(0), i));
          f.set(pair[j]!, op("f32x4.add", previous, pair[j]!));
        });
      });
      each((j, i) => f.storeLane(lane, pair[j]!, i));
    };
    f.countdown(panels, () => {
      f.set(end, op("i32.add", b, op("i32.mul", depth, COLUMN_BYTES)));
      f.set(next, a);
      f.set(left, rows);
      f.set(to, y);
      f.loop((again) => {
        for (const sum of sums.flat()) f.set(sum, f32x4(0));
        f.set(row, next);
        f.set(column, b);
        multiplyAdds(f, registers, { a: [row], b: column, end });
        f.set(at, to);
        f.block((leave) => {
          for (const [i, pair] of sums.entries()) {
            if (i > 0) f.branchIf(leave, op("i32.le_s", left, i));
            f.if(
              whole,
              () => vectors(pair),
              () => elements(pair),
            );
            f.increase(at, yRow);
          }
        });
        f.increase(to, op("i32.shl", yRow, 2));
        f.increase(next, aTile);
        f.increase(left, -TILE_ROWS);
        f.branchIf(again, op("i32.gt_s", left, 0));
      });
      f.increase(b, bPanel);
      f.increase(y, op("i32.shl", yStep, 3));
    });
  },
);
const nothing = (): void => {};

/**
 * Groups of `width` neighbours next to each other: to[i][j][0..width) = x[i][j][lane xLane] for i < outer and j < inner, where
 * lanes from `lanes` on repeat the last one. Which loop is the outer one is the caller's choice: the one with longer strides in x.
 */
const packGroups = (width: 4 | 8) =>
  define(
    integers(...(["x", "to", "outer", "inner", "xOuter", "xInner", "toOuter", "toInner", "xLane", "lanes"] as const)),
    (f, { x, to, outer, inner, xOuter, xInner, toOuter, toInner, xLane, lanes }) => {
      const [n, at, target, last, side] = f.locals("i32", 5);
      const offsets = f.locals("i32", width);
      f.set(last, op("i32.sub", lanes, 1));
      for (const [i, offset] of offsets.entries())
        f.set(offset, op("i32.mul", select(op("i32.lt_s", last, i), last, value("i32", i)), xLane));
      f.set(side, op("i32.and", op("i32.eq", xLane, 4), op("i32.eq", lanes, width)));
      const each = (vector: (half: number) => Value<"v128">) =>
        walk(
          f,
          { outer, inner, n },
          () => {
            f.set(at, x);
            f.set(target, to);
          },
          () => {
            for (let half = 0; half < width / LANES; half++) f.store("v128.store", target, vector(half), 16 * half);
            f.increase(at, xInner);
            f.increase(target, toInner);
          },
          () => {
            f.increase(x, xOuter);
            f.increase(to, toOuter);
          },
        );
      const place = (i: number) => (i === 0 ? at : op("i32.add", at, offsets[i]!));
      f.if(
        side,
        () => each((half) => load("v128.load", at, 16 * half)),
        () =>
          each((half) =>
            [1, 2, 3].reduce<Value<"v128">>(
              (vector, i) => loadLane(place(LANES * half + i), vector, i),
              load("v128.load32_splat", place(LANES * half)),
            ),
          ),
      );
    },
  );

function walk(
  f: FunctionBuilder,
  { outer, inner, n }: Record<"outer" | "inner" | "n", Local<"i32">>,
  start: () => void,
  visit: () => void,
  step: () => void,
): void {
  f.countdown(outer, () => {
    start();
    f.set(n, inner);
    f.countdown(n, visit);
    step();
  });
}

export const packFours = packGroups(4);
export const packEights = packGroups(8);
