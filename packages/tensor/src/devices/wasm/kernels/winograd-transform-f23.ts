// Winograd's transforms of patches and results for F23, as winograd-transform.ts describes them: all values of a tile in registers,
// without a loop in a tile.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { f32x4, type Local, load, op, type Value } from "../values.ts";
import { sigmoidDivisor } from "./exp.ts";
import { minus, plus } from "./winograd-matrices.ts";

type Vector = Value<"v128">;

/** Stores values one plane apart, from `at` on; `at` moves behind them. */
function storePlanes(f: FunctionBuilder, at: Local<"i32">, plane: Local<"i32">, values: readonly Vector[]): void {
  for (const v of values) {
    f.store("v128.store", at, v);
    f.increase(at, plane);
  }
}

export const winogradInputF23 = define(
  integers("x", "v", "temporary", "tiles", "groups", "xRow", "xPixel", "plane", "vTile", "vGroup"),
  (f, { x, v, tiles, groups, xRow, xPixel, plane, vTile, vGroup }) => {
    const [n, at, row] = f.locals("i32", 3);
    const rows = f.locals("i32", 4);
    const [upper, lower, t] = [f.locals("v128", 4), f.locals("v128", 4), f.locals("v128", 4)];
    const across = ([a, b, c, d]: readonly Vector[]) => [minus(a!, c!), plus(b!, c!), minus(c!, b!), minus(d!, b!)];
    const offsets = f.locals("i32", 3);
    const patchRow = (i: number, j: number) =>
      load("v128.load", j === 0 ? rows[i]! : op("i32.add", rows[i]!, offsets[j - 1]!));

    f.set(offsets[0], xPixel);
    f.set(offsets[1], op("i32.shl", xPixel, 1));
    f.set(offsets[2], op("i32.add", offsets[1], xPixel));
    f.countdown(tiles, () => {
      f.set(row, x);
      for (const r of rows) {
        f.set(r, row);
        f.increase(row, xRow);
      }
      f.set(row, v);
      f.set(n, groups);
      f.countdown(n, () => {
        f.set(at, row);
        for (const [j, local] of upper.entries()) f.set(local, patchRow(1, j));
        for (const [j, local] of lower.entries()) f.set(local, patchRow(2, j));
        // One row of results after the other: twelve vectors live at a time.
        const resultRow = (down: (j: number) => Vector) => {
          for (const [j, local] of t.entries()) f.set(local, down(j));
          storePlanes(f, at, plane, across(t));
        };
        resultRow((j) => minus(patchRow(0, j), lower[j]!));
        resultRow((j) => plus(upper[j]!, lower[j]!));
        resultRow((j) => minus(lower[j]!, upper[j]!));
        resultRow((j) => minus(patchRow(3, j), upper[j]!));
        for (const r of rows) f.increase(r, 16);
        f.increase(row, vGroup);
      });
      f.increase(x, offsets[1]);
      f.increase(v, vTile);
    });
  },
);

/** The second row (column) of a tile replaces its first where that is skipped. */
const outputOf = ({ silu }: { readonly silu: boolean }) =>
  define(
    integers(
      ...(["m", "y", "temporary", "bias", "tiles", "groups", "yRow", "yPixel"] as const),
      ...(["skipRows", "skipColumns", "plane", "mTile"] as const),
    ),
    (f, { m, y, bias, tiles, groups, yRow, yPixel, skipRows, skipColumns, plane, mTile }) => {
      const [n, at, out, source, b, beside] = f.locals("i32", 6);
      const [y00, y01, y10, y11, left, right, add] = f.locals("v128", 7);
      const [m0, m1, m2, m3] = f.locals("v128", 4);
      const divisor = silu ? sigmoidDivisor(f) : undefined;
      const position = (local: Local<"v128">) => {
        f.set(local, load("v128.load", at));
        f.increase(at, plane);
      };

      f.if(skipRows, () => f.set(yRow, 0));
      f.set(beside, op("i32.mul", yPixel, op("i32.eqz", skipColumns)));
      f.countdown(tiles, () => {
        f.set(source, m);
        f.set(out, y);
        f.set(b, bias);
        f.set(n, groups);
        f.countdown(n, () => {
          f.set(at, source);
          f.set(add, f32x4(0));
          f.if(bias, () => f.set(add, load("v128.load", b)));
          for (const local of [y00, y01]) f.set(local, add);
          for (const local of [y10, y11]) f.set(local, add);
          for (const i of [0, 1, 2, 3]) {
            for (const local of [m0, m1, m2, m3]) position(local);
            f.set(left, plus(plus(m0, m1), m2));
            f.set(right, plus(minus(m1, m2), m3));
            if (i < 3) {
              f.set(y00, plus(y00, left));
              f.set(y01, plus(y01, right));
            }
            if (i > 0) {
              const next = i === 2 ? minus : plus;
              f.set(y10, next(y10, left));
              f.set(y11, next(y11, right));
            }
          }
          if (divisor) for (const local of [y00, y01, y10, y11]) f.set(local, op("f32x4.div", local, divisor(local)));
          f.store("v128.store", out, y00);
          f.store("v128.store", op("i32.add", out, beside), y01);
          f.set(at, op("i32.add", out, yRow));
          f.store("v128.store", at, y10);
          f.store("v128.store", op("i32.add", at, beside), y11);
          for (const p of [source, out, b]) f.increase(p, 16);
        });
        f.increase(y, op("i32.shl", yPixel, 1));
        f.increase(m, mTile);
      });
    },
  );
export const winogradOutputF23 = outputOf({ silu: false });
export const winogradOutputSiluF23 = outputOf({ silu: true });
