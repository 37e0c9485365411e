// Winograd's transforms of feature maps, four channels a time: patches of the source to positions, positions to results,
// and cotangents to positions. Matrices and formulas are those of winograd-matrices.ts. A tile is one patch. All
// transformed values of one position form a plane, a matrix of tiles and channels.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { f32x4, type Local, load, op, type Value } from "../values.ts";
import { sigmoidDivisor } from "./exp.ts";
import { type Filter, filters, type Multiply, patchOf, plus, times, timesTransposed } from "./winograd-matrices.ts";
import { winogradInputF23, winogradOutputF23, winogradOutputSiluF23 } from "./winograd-transform-f23.ts";

/** Bytes of memory that a transform may need: the most for 11 x 11 values of stride 2. */
export const TRANSFORM_BYTES = 16 * 11 ** 2;
/** Emits what takes the products of a column, in order. */
type Use = (value: Value<"v128">, i: number) => void;
interface Square {
  /** Rows that are read, and values of each. */
  readonly size: number;
  /** Values that a row becomes, and then a column. */
  readonly width: number;
  readonly multiply: Multiply;
  /** Address of TRANSFORM_BYTES. */
  readonly temporary: Local<"i32">;
  /** Reads the next row. */
  readonly read: (row: readonly Local<"v128">[]) => void;
  /** Writes the next column, which `emit` makes. */
  readonly write: (emit: (use: Use) => void) => void;
}

/**
 * Emits the multiplication of a square's rows, then of its columns, in loops with memory between: a patch of 6 x 6 is more than
 * there are registers, and each turn is as much code as V8 up to version 12 orders well.
 */
function bothWays(f: FunctionBuilder, { size, width, multiply, temporary, read, write }: Square): void {
  const values = f.locals("v128", size);
  const [turn, at] = f.locals("i32", 2);
  f.set(at, temporary);
  f.set(turn, size);
  f.countdown(turn, () => {
    read(values);
    multiply(values, (value, j) => f.store("v128.store", at, value, 16 * j));
    f.increase(at, 16 * width);
  });
  f.set(at, temporary);
  f.set(turn, width);
  f.countdown(turn, () => {
    for (const [i, value] of values.entries()) f.set(value, load("v128.load", at, 16 * width * i));
    write((use) => multiply(values, use));
    f.increase(at, 16);
  });
}

/**
 * v[position][tile][group] = B' d B of `tiles` patches, one beside the other: patch t is the n x n pixels at x + m t xPixel.
 * `groups` counts vectors of four channels. plane, vTile and vGroup are the bytes of v from position to position, tile
 * to tile and group to group. `temporary` is the address of TRANSFORM_BYTES.
 */
const inputOf = (filter: Filter) =>
  define(
    integers("x", "v", "temporary", "tiles", "groups", "xRow", "xPixel", "plane", "vTile", "vGroup"),
    (f, { x, v, temporary, tiles, groups, xRow, xPixel, plane, vTile, vGroup }) => {
      const patch = patchOf(filter);
      const [n, from, to, row, column, next, planes] = f.locals("i32", 7);
      const multiply = times(f, filter.patches);

      f.set(planes, op("i32.mul", plane, patch));
      f.countdown(tiles, () => {
        f.set(from, x);
        f.set(to, v);
        f.set(n, groups);
        f.countdown(n, () => {
          f.set(row, from);
          f.set(column, to);
          bothWays(f, {
            ...{ size: patch, width: patch, multiply, temporary },
            read: (values) => {
              f.set(next, row);
              for (const [j, value] of values.entries()) {
                f.set(value, load("v128.load", next));
                if (j < patch - 1) f.increase(next, xPixel);
              }
              f.increase(row, xRow);
            },
            write: (emit) => {
              f.set(next, column);
              emit((value, i) => {
                f.store("v128.store", next, value);
                if (i < patch - 1) f.increase(next, planes);
              });
              f.increase(column, plane);
            },
          });
          f.increase(from, 16);
          f.increase(to, vGroup);
        });
        f.increase(x, op("i32.mul", xPixel, filter.m));
        f.increase(v, vTile);
      });
    },
  );

/**
 * y = bias + A' m A of `tiles` tiles, one beside the other: tile t becomes the m x m pixels at y + m t yPixel. m is
 * [position][tile][4 groups] like v above. `bias` is the address of 4 groups floats, or 0 for none. A tile's first skipRows
 * rows (skipColumns columns) are not written, and the others are moved up (left): so the last tile of a size that m does not
 * divide is written.
 */
const outputOf = (filter: Filter, { silu }: { readonly silu: boolean }) =>
  define(
    integers(
      ...(["m", "y", "temporary", "bias", "tiles", "groups", "yRow", "yPixel"] as const),
      ...(["skipRows", "skipColumns", "plane", "mTile"] as const),
    ),
    (f, { m, y, temporary, bias, tiles, groups, yRow, yPixel, skipRows, skipColumns, plane, mTile }) => {
      const patch = patchOf(filter);
      const [n, source, out, b, next, pixel, column] = f.locals("i32", 7);
      const offsets = f.locals("i32", filter.m);
      const [add, result] = f.locals("v128", 2);
      const multiply = timesTransposed(f, filter.results);
      const divisor = silu ? sigmoidDivisor(f) : undefined;

      // What is skipped is written first, where the row or column that replaces it follows.
      for (const [i, offset] of offsets.entries())
        if (i > 0) f.set(offset, op("i32.add", offsets[i - 1]!, op("i32.mul", yRow, op("i32.gt_s", i, skipRows))));
      f.countdown(tiles, () => {
        f.set(source, m);
        f.set(out, y);
        f.set(b, bias);
        f.set(n, groups);
        f.countdown(n, () => {
          f.set(next, source);
          f.set(pixel, out);
          f.set(column, 0);
          f.set(add, f32x4(0));
          f.if(bias, () => f.set(add, load("v128.load", b)));
          bothWays(f, {
            ...{ size: patch, width: filter.m, multiply, temporary },
            read: (values) => {
              for (const value of values) {
                f.set(value, load("v128.load", next));
                f.increase(next, plane);
              }
            },
            write: (emit) => {
              emit((value, i) => {
                f.set(result, plus(value, add));
                if (divisor) f.set(result, op("f32x4.div", result, divisor(result)));
                f.store("v128.store", op("i32.add", pixel, offsets[i]!), result);
              });
              f.increase(pixel, op("i32.mul", yPixel, op("i32.ge_s", column, skipColumns)));
              f.increase(column, 1);
            },
          });
          for (const p of [source, out, b]) f.increase(p, 16);
        });
        f.increase(y, op("i32.mul", yPixel, filter.m));
        f.increase(m, mTile);
      });
    },
  );

/**
 * z[position][panel][tile][0..8) = A e A' of `tiles` tiles, one beside the other: tile t is the m x m pixels at
 * ct + m t ctPixel, of 8 `panels` channels. A tile is 32 bytes; plane and zPanel are the bytes of z from position to
 * position and panel to panel. The first skipRows rows (skipColumns columns) of a tile count as zeros.
 */
const cotangentOf = (filter: Filter) =>
  define(
    integers(
      ...(["ct", "z", "temporary", "tiles", "panels", "ctRow", "ctPixel"] as const),
      ...(["plane", "zPanel", "skipRows", "skipColumns"] as const),
    ),
    (f, { ct, z, temporary, tiles, panels, ctRow, ctPixel, plane, zPanel, skipRows, skipColumns }) => {
      const patch = patchOf(filter);
      const [n, half, from, to, line, row, column, next, planes] = f.locals("i32", 9);
      const masks = f.locals("v128", filter.m);
      const mask = f.local("v128");
      const multiply = times(f, filter.results);
      const taken = (index: Local<"i32"> | number, skipped: Local<"i32">) =>
        op("i32x4.splat", op("i32.sub", 0, op("i32.ge_s", index, skipped)));

      f.set(planes, op("i32.mul", plane, patch));
      for (const [j, local] of masks.entries()) f.set(local, taken(j, skipColumns));
      f.countdown(tiles, () => {
        f.set(from, ct);
        f.set(to, z);
        f.set(n, panels);
        f.countdown(n, () => {
          f.set(half, 2);
          f.countdown(half, () => {
            f.set(line, from);
            f.set(row, 0);
            f.set(column, to);
            bothWays(f, {
              ...{ size: filter.m, width: patch, multiply, temporary },
              read: (values) => {
                f.set(next, line);
                f.set(mask, taken(row, skipRows));
                for (const [j, value] of values.entries()) {
                  f.set(value, op("v128.and", op("v128.and", load("v128.load", next), masks[j]!), mask));
                  if (j < filter.m - 1) f.increase(next, ctPixel);
                }
                f.increase(line, ctRow);
                f.increase(row, 1);
              },
              write: (emit) => {
                f.set(next, column);
                emit((value, i) => {
                  f.store("v128.store", next, value);
                  if (i < patch - 1) f.increase(next, planes);
                });
                f.increase(column, plane);
              },
            });
            f.increase(from, 16);
            f.increase(to, 16);
          });
          f.increase(to, op("i32.sub", zPanel, 32));
        });
        f.increase(ct, op("i32.mul", ctPixel, filter.m));
        f.increase(z, 32);
      });
    },
  );

/** Of each filter: patches to v, m to y, m to silu(y) = y / (1 + exp(-y)), cotangents to z. */
export const winogradTransforms = {
  winogradInputF23,
  winogradInputF43: inputOf(filters.F43),
  winogradInputF42: inputOf(filters.F42),
  winogradInputF52: inputOf(filters.F52),
  winogradOutputF23,
  winogradOutputF43: outputOf(filters.F43, { silu: false }),
  winogradOutputF42: outputOf(filters.F42, { silu: false }),
  winogradOutputF52: outputOf(filters.F52, { silu: false }),
  winogradOutputSiluF23,
  winogradOutputSiluF43: outputOf(filters.F43, { silu: true }),
  winogradOutputSiluF42: outputOf(filters.F42, { silu: true }),
  winogradOutputSiluF52: outputOf(filters.F52, { silu: true }),
  winogradCotangentF23: cotangentOf(filters.F23),
  winogradCotangentF43: cotangentOf(filters.F43),
  winogradCotangentF42: cotangentOf(filters.F42),
  winogradCotangentF52: cotangentOf(filters.F52),
};
