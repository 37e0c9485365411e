// Max pooling over channels that lie side by side, four a time and one by one at the end: along one axis with the index
// of the maximum, and its adjoint by comparing indices.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { f32x4, type Local, load, op, type Value } from "../values.ts";

/** Emits `body` for all channels: four lanes a turn, then one. Pointers move on by what was done. */
function eachVector(
  f: FunctionBuilder,
  channels: Local<"i32">,
  pointers: readonly Local<"i32">[],
  body: (read: (at: Value<"i32">) => Value<"v128">, write: (at: Value<"i32">, x: Value<"v128">) => void) => void,
): void {
  for (const width of [4, 1])
    f.block((leave) =>
      f.loop((again) => {
        f.branchIf(leave, op("i32.lt_s", channels, width));
        body(
          (at) => load(width === 4 ? "v128.load" : "v128.load32_splat", at),
          (at, x) => (width === 4 ? f.store("v128.store", at, x) : f.storeLane(at, x, 0)),
        );
        for (const pointer of pointers) f.increase(pointer, 4 * width);
        f.increase(channels, -width);
        f.branch(again);
      }),
    );
}

const windows = [
  ...(["x", "index", "y", "yIndex", "pixels", "channels", "xStep", "yStep", "yIndexStep", "taps", "tap"] as const),
  ...(["position", "positionStep"] as const),
] as const;
/**
 * y[pixel][c] = the first of the largest of `taps` elements x[pixel][tap][c], NaN before all others, and yIndex[pixel][c]
 * the index that comes with it: read from `index`, which lies as x does, or `position` + tap, where `positionStep` leads
 * to the next pixel. Steps in bytes.
 */
const along = (indexed: boolean) =>
  define(integers(...windows), (f, p) => {
    const [n, c, at, atIndex] = f.locals("i32", 4);
    const pointers = f.locals("i32", 4);
    const [from, fromIndex, to, toIndex] = pointers as [Local<"i32">, Local<"i32">, Local<"i32">, Local<"i32">];
    const [best, which, x, i, taken] = f.locals("v128", 5);
    f.countdown(p.pixels, () => {
      f.set(c, p.channels);
      f.set(from, p.x);
      f.set(fromIndex, p.index);
      f.set(to, p.y);
      f.set(toIndex, p.yIndex);
      eachVector(f, c, pointers, (read, write) => {
        const element = (first: boolean) => {
          if (indexed) return read(atIndex);
          return first ? op("f32x4.splat", op("f32.convert_i32_s", p.position)) : op("f32x4.add", i, f32x4(1));
        };
        f.set(at, from);
        f.set(atIndex, fromIndex);
        f.set(best, read(at));
        f.set(i, element(true));
        f.set(which, i);
        f.set(n, op("i32.sub", p.taps, 1));
        f.if(n, () =>
          f.countdown(n, () => {
            f.increase(at, p.tap);
            f.increase(atIndex, p.tap);
            f.set(x, read(at));
            f.set(i, element(false));
            // best is a number, and x is larger or NaN
            f.set(taken, op("v128.andnot", op("f32x4.eq", best, best), op("f32x4.le", x, best)));
            f.set(best, op("v128.bitselect", x, best, taken));
            f.set(which, op("v128.bitselect", i, which, taken));
          }),
        );
        write(to, best);
        write(toIndex, which);
      });
      f.increase(p.x, p.xStep);
      f.increase(p.index, p.xStep);
      f.increase(p.y, p.yStep);
      f.increase(p.yIndex, p.yIndexStep);
      f.increase(p.position, p.positionStep);
    });
  });
/** x[c] = the sum of ct[row][column][c] over the windows given, where index[row][column][c] is `position`. */
const unpool = define(
  integers("ct", "index", "x", "rows", "columns", "ctRow", "ctPixel", "indexRow", "indexPixel", "position", "channels"),
  (f, { ct, index, x, rows, columns, ctRow, ctPixel, indexRow, indexPixel, position, channels }) => {
    const [row, column, line, lineIndex, at, atIndex] = f.locals("i32", 6);
    const [sum, here] = f.locals("v128", 2);
    f.set(here, op("f32x4.splat", op("f32.convert_i32_s", position)));
    eachVector(f, channels, [ct, index, x], (read, write) => {
      f.set(sum, f32x4(0));
      f.set(line, ct);
      f.set(lineIndex, index);
      f.for(row, rows, () => {
        f.set(at, line);
        f.set(atIndex, lineIndex);
        f.for(column, columns, () => {
          f.set(sum, op("f32x4.add", sum, op("v128.and", read(at), op("f32x4.eq", read(atIndex), here))));
          f.increase(at, ctPixel);
          f.increase(atIndex, indexPixel);
        });
        f.increase(line, ctRow);
        f.increase(lineIndex, indexRow);
      });
      write(x, sum);
    });
  },
);

export const poolKernels = { maxAlong: along(false), maxAlongIndexed: along(true), unpool };
