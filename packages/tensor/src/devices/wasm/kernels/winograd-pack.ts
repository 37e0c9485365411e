// Winograd's transforms of kernels: weights to the packed matrices of all positions, and sums of products back to a
// gradient. The matrices are those of winograd-matrices.ts.
import { define, integers } from "../assembler.ts";
import { load, loadLane, op } from "../values.ts";
import { type Filter, filters, patchOf, range, times, timesTransposed } from "./winograd-matrices.ts";
import { PANEL } from "./winograd-product.ts";

const LANES = [0, 1, 2, 3] as const;

/**
 * u[position][panel][depth][8] = G g G' for `panels` panels of 8 columns: g is the r x r kernel at
 * w + column wColumn + k wDepth, its taps wRow and wTap bytes apart. `plane` is the bytes of u from position to position.
 * Negative wRow and wTap, from the last tap on, turn the kernel round.
 */
const packOf = (filter: Filter) =>
  define(
    integers("w", "u", "panels", "depth", "plane", "wColumn", "wDepth", "wRow", "wTap"),
    (f, { w, u, panels, depth, plane, wColumn, wDepth, wRow, wTap }) => {
      const patch = patchOf(filter);
      const [n, at, next, lane, line, source, planes] = f.locals("i32", 7);
      const taps = f.locals("v128", filter.r);
      const rows = taps.map(() => f.locals("v128", patch));
      const transform = times(f, filter.kernels);

      f.set(planes, op("i32.mul", plane, patch));
      f.countdown(panels, () => {
        for (const part of [0, 1]) {
          // Four columns of every k; the second four follow 16 bytes behind the first.
          f.set(next, w);
          f.set(n, depth);
          f.countdown(n, () => {
            f.set(line, next);
            for (const row of rows) {
              f.set(source, line);
              for (const tap of taps) {
                f.set(lane, source);
                f.set(tap, load("v128.load32_splat", lane));
                for (const i of LANES.slice(1)) {
                  f.increase(lane, wColumn);
                  f.set(tap, loadLane(lane, tap, i));
                }
                f.increase(source, wTap);
              }
              transform(taps, (value, j) => f.set(row[j]!, value));
              f.increase(line, wRow);
            }
            f.set(at, op("i32.add", u, 16 * part));
            // Positions are stored row by row: position n i + j is row i of the columns' transforms.
            for (const j of range(patch)) {
              f.set(source, at);
              transform(
                rows.map((row) => row[j]!),
                (value, i) => {
                  f.store("v128.store", source, value);
                  if (i < patch - 1) f.increase(source, planes);
                },
              );
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
 * dw = G' m G for m [position][panel][depth][8], `plane` bytes from position to position: the r x r gradient of column and k
 * goes to dw + column wColumn + k wDepth, its taps wRow and wTap bytes apart.
 */
const unpackOf = (filter: Filter) =>
  define(
    integers("m", "dw", "panels", "depth", "plane", "wColumn", "wDepth", "wRow", "wTap"),
    (f, { m, dw, panels, depth, plane, wColumn, wDepth, wRow, wTap }) => {
      const patch = patchOf(filter);
      const [n, at, next, lane, target] = f.locals("i32", 5);
      const values = f.locals("v128", patch);
      const rows = values.map(() => f.locals("v128", filter.r));
      const tap = f.local("v128");
      const transform = timesTransposed(f, filter.kernels);

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
              transform(values, (value, j) => f.set(row[j]!, value));
            }
            for (const j of range(filter.r)) {
              f.set(target, op("i32.add", next, op("i32.mul", wTap, j)));
              transform(
                rows.map((row) => row[j]!),
                (value) => {
                  f.set(tap, value);
                  f.set(lane, target);
                  for (const i of LANES) {
                    f.storeLane(lane, tap, i);
                    if (i < 3) f.increase(lane, wColumn);
                  }
                  f.increase(target, wRow);
                },
              );
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

export const winogradPacks = {
  winogradPackF23: packOf(filters.F23),
  winogradPackF43: packOf(filters.F43),
  winogradUnpackF23: unpackOf(filters.F23),
  winogradUnpackF43: unpackOf(filters.F43),
};
