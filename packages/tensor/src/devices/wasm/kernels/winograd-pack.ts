// Winograd's transforms of kernels: weights to the sixteen packed matrices, and sums of products back to a gradient.
// The matrices are those of winograd-transform.ts.
import { define, integers } from "../assembler.ts";
import { f32x4, type Local, load, loadLane, op, type Value } from "../values.ts";
import { PANEL } from "./winograd-product.ts";

type Vector = Value<"v128">;
const plus = (a: Vector, b: Vector) => op("f32x4.add", a, b);
const minus = (a: Vector, b: Vector) => op("f32x4.sub", a, b);
const half = (a: Vector) => op("f32x4.mul", a, f32x4(0.5));
const LANES = [0, 1, 2, 3] as const;
const THREE = [0, 1, 2] as const;

/**
 * u[position][panel][depth][8] = G g G' for `panels` panels of 8 columns: g is the 3 x 3 kernel at
 * w + column wColumn + k wDepth, its taps wTap bytes apart. `plane` is the bytes of u from position to position. A negative
 * wTap, from the last tap on, turns the kernel round.
 */
export const winogradPack = define(
  integers("w", "u", "panels", "depth", "plane", "wColumn", "wDepth", "wTap"),
  (f, { w, u, panels, depth, plane, wColumn, wDepth, wTap }) => {
    const [n, at, next, lane, source] = f.locals("i32", 5);
    const rows = THREE.map(() => f.locals("v128", 4));
    const taps = f.locals("v128", 3);
    const [even, odd] = f.locals("v128", 2);
    /** G (a, b, c): four results. */
    const along = ([a, b, c]: readonly Local<"v128">[], to: readonly Local<"v128">[]) => {
      f.set(even, half(plus(a!, c!)));
      f.set(odd, half(b!));
      f.set(to[0]!, a!);
      f.set(to[1]!, plus(even, odd));
      f.set(to[2]!, minus(even, odd));
      f.set(to[3]!, c!);
    };
    const columns = f.locals("v128", 4);

    f.countdown(panels, () => {
      for (const part of [0, 1]) {
        // Four columns of every k; the second four follow 16 bytes behind the first.
        f.set(next, w);
        f.set(n, depth);
        f.countdown(n, () => {
          f.set(source, next);
          for (const row of rows) {
            for (const tap of taps) {
              f.set(lane, source);
              f.set(tap, load("v128.load32_splat", lane));
              for (const i of LANES.slice(1)) {
                f.increase(lane, wColumn);
                f.set(tap, loadLane(lane, tap, i));
              }
              f.increase(source, wTap);
            }
            along(taps, row);
          }
          f.set(at, op("i32.add", u, 16 * part));
          // Positions are stored row by row: position 4 i + j is row i of the columns' transforms.
          for (const j of LANES) {
            along(
              rows.map((row) => row[j]),
              columns,
            );
            f.set(source, at);
            for (const i of LANES) {
              f.store("v128.store", source, columns[i]);
              if (i < 3) f.increase(source, op("i32.shl", plane, 2));
            }
            f.increase(at, plane);
          }
          f.increase(u, 4 * PANEL);
          f.increase(next, wDepth);
        });
        f.increase(w, op("i32.shl", wColumn, 2));
        if (part === 0) f.set(u, op("i32.sub", u, op("i32.shl", depth, 5)));
      }
    });
  },
);

/**
 * dw = G' m G for m [position][panel][depth][8], `plane` bytes from position to position: the 3 x 3 gradient of column and k goes to
 * dw + column wColumn + k wDepth, its taps wTap bytes apart.
 */
export const winogradUnpack = define(
  integers("m", "dw", "panels", "depth", "plane", "wColumn", "wDepth", "wTap"),
  (f, { m, dw, panels, depth, plane, wColumn, wDepth, wTap }) => {
    const [n, at, next, lane, target] = f.locals("i32", 5);
    const rows = LANES.map(() => f.locals("v128", 3));
    const values = f.locals("v128", 4);
    const even = f.local("v128");
    const result = f.locals("v128", 3);
    /** G' (a, b, c, d): three results. */
    const along = ([a, b, c, d]: readonly Local<"v128">[], to: readonly Local<"v128">[]) => {
      f.set(even, half(plus(b!, c!)));
      f.set(to[0]!, plus(a!, even));
      f.set(to[1]!, half(minus(b!, c!)));
      f.set(to[2]!, plus(even, d!));
    };

    f.countdown(panels, () => {
      for (const part of [0, 1]) {
        f.set(next, dw);
        f.set(n, depth);
        f.countdown(n, () => {
          f.set(at, op("i32.add", m, 16 * part));
          for (const row of rows) {
            for (const local of values) {
              f.set(local, load("v128.load", at));
              f.increase(at, plane);
            }
            along(values, row);
          }
          for (const j of THREE) {
            along(
              rows.map((row) => row[j]),
              result,
            );
            f.set(target, op("i32.add", next, op("i32.mul", wTap, j)));
            for (const tap of result) {
              f.set(lane, target);
              for (const i of LANES) {
                f.storeLane(lane, tap, i);
                if (i < 3) f.increase(lane, wColumn);
              }
              f.increase(target, op("i32.mul", wTap, 3));
            }
          }
          f.increase(m, 4 * PANEL);
          f.increase(next, wDepth);
        });
        f.increase(dw, op("i32.shl", wColumn, 2));
        if (part === 0) f.set(m, op("i32.sub", m, op("i32.shl", depth, 5)));
      }
    });
  },
);
