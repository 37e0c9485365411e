// The inner loop of convolutions and their weight gradients: outer products of 4 floats and 8 floats, both packed without
// gaps, summed in eight registers.
//
// V8 up to version 12 issues all loads of a stretch of code without branches first: two steps in one stretch spill half
// of the registers. So every step ends in a branch, the exit of the loop, and needs no counter. Three pointers and no
// offsets beyond the first four keep the loop at 26 instructions of 16 that compute: about 90 % of what the lanes can do.
import type { FunctionBuilder } from "../assembler.ts";
import { type Local, load, op } from "../values.ts";

/** Rows of a tile: floats that are spread over a vector. */
export const TILE_ROWS = 4;
/** Columns of a tile: the width of a panel. */
export const TILE_COLUMNS = 8;
/** Bytes from step to step of the packed operands. */
export const ROW_BYTES = 4 * TILE_ROWS;
export const COLUMN_BYTES = 4 * TILE_COLUMNS;
const UNROLL = 4;
/** Tiles computed at a time: eight sums of 256 bits hide what an addition takes, but sums of 128 bits are too many then. */
export const tilesAtOnce = (wide: boolean): number => (wide ? 2 : 1);

/** The registers of a tile, or of several: sums[row][half of the columns]. */
export interface Tile {
  readonly sums: readonly (readonly [Local<"v128">, Local<"v128">])[];
  readonly columns: readonly [Local<"v128">, Local<"v128">];
  readonly row: Local<"v128">;
}
export const tile = (f: FunctionBuilder, tiles = 1): Tile => ({
  sums: Array.from({ length: TILE_ROWS * tiles }, () => f.locals("v128", 2)),
  columns: f.locals("v128", 2),
  row: f.local("v128"),
});

/** Emits the body for two tiles at a time, if so many may be, and for the last one alone. `left` tiles are used up. */
export function eachTile(f: FunctionBuilder, left: Local<"i32">, most: number, body: (tiles: number) => void): void {
  if (most === 1) {
    f.countdown(left, () => body(1));
    return;
  }
  f.block((leave) =>
    f.loop((again) => {
      f.branchIf(leave, op("i32.lt_s", left, most));
      body(most);
      f.increase(left, -most);
      f.branch(again);
    }),
  );
  f.if(left, () => body(1));
}

/** Emits sums[i][0..8) += the sum over steps of a[step][i] * b[step][0..8), until b is `end`; four rows to each `a`. */
export function multiplyAdds(
  f: FunctionBuilder,
  { sums, columns, row }: Tile,
  { a, b, end }: { a: readonly Local<"i32">[]; b: Local<"i32">; end: Local<"i32"> },
): void {
  f.block((leave) =>
    f.loop((again) => {
      for (let step = 1; step <= UNROLL; step++) {
        for (const [j, column] of columns.entries()) f.set(column, load("v128.load", b, 16 * j));
        for (const [i, pair] of sums.entries()) {
          f.set(row, load("v128.load32_splat", a[Math.floor(i / TILE_ROWS)]!, 4 * (i % TILE_ROWS)));
          for (const [j, sum] of pair.entries()) f.set(sum, op("f32x4.add", sum, op("f32x4.mul", row, columns[j]!)));
        }
        for (const rows of a) f.increase(rows, ROW_BYTES);
        f.increase(b, COLUMN_BYTES);
        if (step < UNROLL) f.branchIf(leave, op("i32.eq", b, end));
        else f.branchIf(again, op("i32.ne", b, end));
      }
    }),
  );
}
