// Where windows lie, and their floats packed for the tiles: the places of a block of pixels are written out once, then
// everything else goes by these tables and never asks for rows, strides or borders again.
import { define, integers } from "../assembler.ts";
import { type Local, load, op, shuffle, type Value } from "../values.ts";
import { TILE_ROWS } from "./multiply-adds.ts";

/**
 * Writes the addresses of `pixels` windows to `sources` and of their results to `targets`, one i32 each, up to a multiple
 * of 4: the last is repeated. Starts at `column` of `row` in an image of rows * columns; `from` and `to` are the first
 * addresses. The steps are bytes: to the next pixel, and what comes on top at the end of a row and of an image.
 */
export const walk = define(
  integers(
    ...(["sources", "targets", "pixels", "from", "to", "column", "row", "columns", "rows"] as const),
    ...(["fromPixel", "fromRow", "fromImage", "toPixel", "toRow", "toImage"] as const),
  ),
  (f, { sources, targets, pixels, from, to, column, row, columns, rows, ...steps }) => {
    const emit = () => {
      f.store("i32.store", sources, from);
      f.store("i32.store", targets, to);
      f.increase(sources, 4);
      f.increase(targets, 4);
    };
    f.loop((again) => {
      emit();
      f.increase(pixels, -1);
      f.block((done) => {
        f.branchIf(done, op("i32.eqz", pixels));
        f.increase(from, steps.fromPixel);
        f.increase(to, steps.toPixel);
        f.increase(column, 1);
        f.branchIf(again, op("i32.lt_s", column, columns));
        f.set(column, 0);
        f.increase(from, steps.fromRow);
        f.increase(to, steps.toRow);
        f.increase(row, 1);
        f.branchIf(again, op("i32.lt_s", row, rows));
        f.set(row, 0);
        f.increase(from, steps.fromImage);
        f.increase(to, steps.toImage);
        f.branch(again);
      });
    });
    for (let i = 1; i < TILE_ROWS; i++) emit();
  },
);

/** Bytes of a cache line. */
export const LINE = 64;

/** The byte offset of float `i` of a window. */
export const offset = (table: Local<"i32">, i: number): Value<"i32"> => load("i32.load", table, 4 * i);
/** Whether `count` rising offsets are those of neighbouring floats. */
export const neighbours = (table: Local<"i32">, count: number): Value<"i32"> =>
  op("i32.eq", op("i32.sub", offset(table, count - 1), offset(table, 0)), 4 * (count - 1));

/**
 * to[tile][k][4] = the floats at the offsets (one i32 per k, `fours` times four) of four sources at a time: windows
 * turned round, so that four pixels of one k lie together.
 */
export const gatherTiles = define(
  integers("sources", "offsets", "to", "tiles", "fours"),
  (f, { sources, offsets, to, tiles, fours }) => {
    const [n, table, at] = f.locals("i32", 3);
    const pixels = f.locals("i32", TILE_ROWS);
    const rows = f.locals("v128", TILE_ROWS);
    const pairs = f.locals("v128", TILE_ROWS);
    f.countdown(tiles, () => {
      for (const [i, pixel] of pixels.entries()) f.set(pixel, load("i32.load", sources, 4 * i));
      f.set(table, offsets);
      f.set(n, fours);
      f.countdown(n, () => {
        f.if(
          neighbours(table, 4),
          () => {
            f.set(at, offset(table, 0));
            for (const [i, pixel] of pixels.entries()) f.set(rows[i]!, load("v128.load", op("i32.add", pixel, at)));
            const [a, b, c, d] = rows;
            f.set(pairs[0], shuffle(a, b, [0, 4, 1, 5]));
            f.set(pairs[1], shuffle(a, b, [2, 6, 3, 7]));
            f.set(pairs[2], shuffle(c, d, [0, 4, 1, 5]));
            f.set(pairs[3], shuffle(c, d, [2, 6, 3, 7]));
            for (const half of [0, 1] as const) {
              f.store("v128.store", to, shuffle(pairs[half], pairs[half + 2]!, [0, 1, 4, 5]), 32 * half);
              f.store("v128.store", to, shuffle(pairs[half], pairs[half + 2]!, [2, 3, 6, 7]), 32 * half + 16);
            }
          },
          () => {
            for (let k = 0; k < 4; k++) {
              f.set(at, offset(table, k));
              for (const [i, pixel] of pixels.entries())
                f.store("f32.store", to, load("f32.load", op("i32.add", pixel, at)), 16 * k + 4 * i);
            }
          },
        );
        f.increase(table, 16);
        f.increase(to, 64);
      });
      f.increase(sources, 4 * TILE_ROWS);
    });
  },
);

/** to[panel][pixel][8] = eight floats of every source, 32 bytes further on for the next panel; `step` bytes from panel to panel. */
export const gatherPanels = define(
  integers("sources", "pixels", "channel", "to", "panels", "step"),
  (f, { sources, pixels, channel, to, panels, step }) => {
    const [pixel, out, end, at] = f.locals("i32", 4);
    f.set(end, op("i32.add", sources, op("i32.shl", pixels, 2)));
    f.countdown(panels, () => {
      f.set(pixel, sources);
      f.set(out, to);
      f.loop((again) => {
        f.set(at, op("i32.add", load("i32.load", pixel), channel));
        f.store("v128.store", out, load("v128.load", at));
        f.store("v128.store", out, load("v128.load", at, 16), 16);
        f.increase(pixel, 4);
        f.increase(out, 32);
        f.branchIf(again, op("i32.ne", pixel, end));
      });
      f.increase(channel, 32);
      f.increase(to, step);
    });
  },
);

/**
 * Reads a float of every cache line of `rows` x `pixels` places of so many bytes; `row` and `pixel` are byte steps. These reads wait
 * for nothing, so many are under way at a time: a long computation on lines far apart gets them from memory one by one.
 */
export const touch = define(
  integers("at", "rows", "pixels", "row", "pixel", "bytes"),
  (f, { at, rows, pixels, row, pixel, bytes }) => {
    const [n, next, line, seen] = f.locals("i32", 4);
    f.countdown(rows, () => {
      f.set(next, at);
      f.set(n, pixels);
      f.countdown(n, () => {
        f.set(line, 0);
        f.loop((again) => {
          f.set(seen, op("i32.or", seen, load("i32.load", op("i32.add", next, line))));
          f.increase(line, LINE);
          f.branchIf(again, op("i32.lt_s", line, bytes));
        });
        f.increase(next, pixel);
      });
      f.increase(at, row);
    });
    return seen;
  },
);
