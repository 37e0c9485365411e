// The weight gradient: windows are packed, up to sixteen floats of them at a time, into planes of four that stay in the
// first-level cache while all panels of the cotangent pass over them.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { type Local, load, op } from "../values.ts";
import { COLUMN_BYTES, eachTile, multiplyAdds, ROW_BYTES, TILE_ROWS, tile, tilesAtOnce } from "./multiply-adds.ts";
import { neighbours, offset } from "./window.ts";

/** Planes packed at a time: sixteen neighbours are a line of the cache. */
export const PLANES = 4;

/**
 * dw[panel][four][4][8] += the sum over pixels of the floats at offsets[four][4] of sources[pixel] times
 * cotangents[panel][pixel][8]. `offsets` is a table of `fours` times four i32; `planes` has room for `PLANES` planes of
 * 16 bytes a pixel. `panel` and `dwPanel` are byte steps; dw has no gaps from four to four.
 */
export const weightTilesOf = (wide: boolean) =>
  define(
    integers(
      ...(["sources", "pixels", "offsets", "fours", "planes"] as const),
      ...(["cotangents", "panel", "panels", "dw", "dwPanel"] as const),
    ),
    (f, { sources, pixels, offsets, fours, planes, cotangents, panel, panels, dw, dwPanel }) => {
      const [b, end, n, m, at, row, column, next, group, bytes] = f.locals("i32", 10);
      const most = tilesAtOnce(wide);
      const [a, registers] = [f.locals("i32", most), tile(f, most)];
      f.set(bytes, op("i32.mul", pixels, ROW_BYTES));
      f.loop((again) => {
        packPlanes(f, { sources, pixels, offsets, fours, planes, bytes, group });
        f.increase(offsets, op("i32.mul", group, 16));
        f.increase(fours, op("i32.sub", 0, group));
        f.set(column, cotangents);
        f.set(row, dw);
        f.set(m, panels);
        f.countdown(m, () => {
          f.set(end, op("i32.add", column, op("i32.mul", pixels, COLUMN_BYTES)));
          f.set(next, planes);
          f.set(at, row);
          f.set(n, group);
          eachTile(f, n, most, (count) => {
            const sums = registers.sums.slice(0, TILE_ROWS * count);
            for (const [i, sum] of sums.flat().entries()) f.set(sum, load("v128.load", at, 16 * i));
            for (const rows of a.slice(0, count)) {
              f.set(rows, next);
              f.increase(next, bytes);
            }
            f.set(b, column);
            multiplyAdds(f, { ...registers, sums }, { a: a.slice(0, count), b, end });
            for (const [i, sum] of sums.flat().entries()) f.store("v128.store", at, sum, 16 * i);
            f.increase(at, TILE_ROWS * COLUMN_BYTES * count);
          });
          f.increase(column, panel);
          f.increase(row, dwPanel);
        });
        f.increase(dw, op("i32.mul", group, 4 * COLUMN_BYTES));
        f.branchIf(again, fours);
      });
    },
  );

type Names = "sources" | "pixels" | "offsets" | "fours" | "planes" | "bytes" | "group";
/** Emits planes[i][pixel][4] = the floats of every source at the next fours of offsets; sets `group` to how many they are. */
function packPlanes(
  f: FunctionBuilder,
  { sources, pixels, offsets, fours, planes, ...p }: Record<Names, Local<"i32">>,
) {
  const [pixel, end, at, first] = f.locals("i32", 4);
  const out = f.locals("i32", PLANES);
  const eachPixel = (places: readonly Local<"i32">[], copy: () => void) => {
    for (const [i, place] of places.entries()) f.set(place, i === 0 ? planes : op("i32.add", out[i - 1]!, p.bytes));
    f.set(p.group, places.length);
    f.set(first, offset(offsets, 0));
    f.set(pixel, sources);
    f.set(end, op("i32.add", sources, op("i32.shl", pixels, 2)));
    f.loop((again) => {
      copy();
      f.increase(pixel, 4);
      for (const place of places) f.increase(place, ROW_BYTES);
      f.branchIf(again, op("i32.ne", pixel, end));
    });
  };
  const vectors = (places: readonly Local<"i32">[]) =>
    eachPixel(places, () => {
      f.set(at, op("i32.add", load("i32.load", pixel), first));
      for (const [i, place] of places.entries()) f.store("v128.store", place, load("v128.load", at, 16 * i));
    });
  const floats = () =>
    eachPixel(out.slice(0, 1), () => {
      for (let k = 0; k < 4; k++) {
        f.set(at, op("i32.add", load("i32.load", pixel), offset(offsets, k)));
        f.store("f32.store", out[0], load("f32.load", at), 4 * k);
      }
    });
  const one = () =>
    f.if(
      neighbours(offsets, 4),
      () => vectors(out.slice(0, 1)),
      () => floats(),
    );
  f.if(
    op("i32.ge_s", fours, PLANES),
    () =>
      f.if(
        neighbours(offsets, 4 * PLANES),
        () => vectors(out),
        () => one(),
      ),
    () => one(),
  );
}
