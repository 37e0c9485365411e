// Folds over float32 elements with float64 results, two lanes a time: `...Columns` where the results lie side by side in
// memory, `...Cells` for results anywhere (their elements in vectors if they lie side by side), `...End` to unite partial
// results and round them. Every result is folded in one order, however the results are shared out.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { type Local, load, op, select, type Value, value } from "../values.ts";

type Op = "add" | "min" | "max";
interface Fold {
  /** One accumulator per entry, united by that operation. */
  readonly ops: readonly Op[];
  /** Takes (x - shift) and its square instead of x, where the shift is the first element of the result if finite. */
  readonly shifted?: boolean;
}
const folds = {
  sum: { ops: ["add"] },
  max: { ops: ["max"] },
  min: { ops: ["min"] },
  moments: { ops: ["add", "add"], shifted: true },
} as const satisfies Record<string, Fold>;
export type FoldName = keyof typeof folds;

const START = { add: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY } as const;
/** Bytes of an accumulator. */
const CELL = 8;

type Doubles = "f64" | "f64x2";
type TypeOf<T extends Doubles> = T extends "f64" ? "f64" : "v128";
const fold = <T extends Doubles>(type: T, name: Op | "sub" | "mul", a: Value<TypeOf<T>>, b: Value<TypeOf<T>>) =>
  // "f64" and "f64x2" have the same rows in the table of instructions
  op(`${type}.${name}` as "f64.add", a as Value<"f64">, b as Value<"f64">) as Value<"f64" | "v128"> as Value<TypeOf<T>>;

/** Accumulators take in the element x. `shift` is unused where nothing is shifted. */
function takeIn<T extends Doubles>(
  f: FunctionBuilder,
  type: T,
  { ops, shifted }: Fold,
  sums: readonly Local<TypeOf<T>>[],
  x: Value<TypeOf<T>>,
  shift: Local<TypeOf<T>> | undefined,
  difference: Local<TypeOf<T>>,
): void {
  const add = (i: number, term: Value<TypeOf<T>>) => f.set(sums[i]!, fold(type, ops[i]!, sums[i]!, term));
  if (!shifted) {
    add(0, x);
    return;
  }
  f.set(difference, fold(type, "sub", x, shift!));
  add(0, difference);
  add(1, fold(type, "mul", difference, difference));
}

const one = (at: Local<"i32">, offset = 0) => op("f64.promote_f32", load("f32.load", at, offset));
const two = (at: Local<"i32">, offset = 0) => op("f64x2.promote_low_f32x4", load("v128.load64_zero", at, offset));

/** Sets `shift` to the element there, or to 0 if it is not finite. */
function setShift(f: FunctionBuilder, shift: Local<"f64">, at: Local<"i32">): void {
  f.set(shift, one(at));
  f.set(shift, select(op("f64.eq", op("f64.sub", shift, shift), 0), shift, value("f64", 0)));
}
function setShifts(f: FunctionBuilder, shift: Local<"v128">, at: Local<"i32">, offset: number): void {
  f.set(shift, two(at, offset));
  f.set(shift, op("v128.and", shift, op("f64x2.eq", op("f64x2.sub", shift, shift), op("f64x2.splat", 0))));
}

const source = ["x", "to", "plane", "shift", "cells", "rows", "row", "n", "step"] as const;

/**
 * to[cell] = fold(to[cell], x[row][i][cell] for all rows and i < n); cells one float apart. All steps in bytes; rows and
 * n at least 1. `to` holds float64, the second accumulator `plane` bytes further; `shift` is where a cell's shift lies.
 */
const columns = (rule: Fold) =>
  define(integers(...source), (f, { x, to, plane, shift, cells, rows, row, n, step }) => {
    const [line, at, r, i, second] = f.locals("i32", 5);
    const walk = (visit: () => void) => {
      f.set(line, x);
      f.set(r, rows);
      f.countdown(r, () => {
        f.set(at, line);
        f.set(i, n);
        f.countdown(i, () => {
          visit();
          f.increase(at, step);
        });
        f.increase(line, row);
      });
    };
    const group = (width: number, body: (targets: readonly Local<"i32">[]) => void) =>
      f.block((leave) =>
        f.loop((again) => {
          f.branchIf(leave, op("i32.lt_s", cells, width));
          f.set(second, op("i32.add", to, plane));
          body([to, second]);
          f.increase(x, 4 * width);
          f.increase(shift, 4 * width);
          f.increase(to, CELL * width);
          f.increase(cells, -width);
          f.branch(again);
        }),
      );
    const [vector, scalar] = [f.local("v128"), f.local("f64")];
    for (const width of [rule.shifted ? 8 : 16, 4]) {
      const shifts = f.locals("v128", rule.shifted ? width / 2 : 0);
      const sums = Array.from({ length: width / 2 }, () => f.locals("v128", rule.ops.length));
      group(width, (targets) => {
        for (const [k, local] of shifts.entries()) setShifts(f, local, shift, 8 * k);
        for (const [k, pair] of sums.entries())
          for (const [a, sum] of pair.entries()) f.set(sum, load("v128.load", targets[a]!, 16 * k));
        walk(() => {
          for (const [k, pair] of sums.entries()) takeIn(f, "f64x2", rule, pair, two(at, 8 * k), shifts[k], vector);
        });
        for (const [k, pair] of sums.entries())
          for (const [a, sum] of pair.entries()) f.store("v128.store", targets[a]!, sum, 16 * k);
      });
    }
    const sums = f.locals("f64", rule.ops.length);
    const shifted = f.local("f64");
    group(1, (targets) => {
      setShift(f, shifted, shift);
      for (const [a, sum] of sums.entries()) f.set(sum, load("f64.load", targets[a]!));
      walk(() => takeIn(f, "f64", rule, sums, one(at), shifted, scalar));
      for (const [a, sum] of sums.entries()) f.store("f64.store", targets[a]!, sum);
    });
  });

/** The same for cells `cell` bytes apart; elements that follow each other (step 4) are taken eight a turn. */
const cells = (rule: Fold) =>
  define(integers(...source, "cell"), (f, { x, to, plane, shift, cells, rows, row, n, step, cell }) => {
    const [line, at, r, i, second] = f.locals("i32", 5);
    const [difference, shifts, vector] = [f.local("f64"), f.local("v128"), f.local("v128")];
    const shifted = f.local("f64");
    const sums = f.locals("f64", rule.ops.length);
    // Four sets of vectors: a single one would wait for each addition.
    const sets = Array.from({ length: 4 }, () => f.locals("v128", rule.ops.length));
    f.countdown(cells, () => {
      f.set(second, op("i32.add", to, plane));
      const targets = [to, second];
      setShift(f, shifted, shift);
      f.set(shifts, op("f64x2.splat", shifted));
      for (const [a, sum] of sums.entries()) f.set(sum, load("f64.load", targets[a]!));
      for (const set of sets) for (const [a, sum] of set.entries()) f.set(sum, op("f64x2.splat", START[rule.ops[a]!]));
      f.set(line, x);
      f.set(r, rows);
      f.countdown(r, () => {
        f.set(at, line);
        f.set(i, n);
        f.if(op("i32.eq", step, 4), () =>
          f.block((leave) =>
            f.loop((again) => {
              f.branchIf(leave, op("i32.lt_s", i, 8));
              for (const [k, set] of sets.entries()) takeIn(f, "f64x2", rule, set, two(at, 8 * k), shifts, vector);
              f.increase(at, 32);
              f.increase(i, -8);
              f.branch(again);
            }),
          ),
        );
        f.if(i, () =>
          f.countdown(i, () => {
            takeIn(f, "f64", rule, sums, one(at), shifted, difference);
            f.increase(at, step);
          }),
        );
        f.increase(line, row);
      });
      for (const [a, sum] of sums.entries()) {
        const parts = sets.map<Value<"v128">>((set) => set[a]!);
        f.set(
          vector,
          parts.reduce((p, q) => fold("f64x2", rule.ops[a]!, p, q)),
        );
        const low = op("f64x2.extract_lane_0", vector);
        const both = fold("f64", rule.ops[a]!, low, op("f64x2.extract_lane_1", vector));
        f.store("f64.store", targets[a]!, fold("f64", rule.ops[a]!, sum, both));
      }
      f.increase(x, cell);
      f.increase(shift, cell);
      f.increase(to, CELL);
    });
  });

/**
 * y[cell] = the partial results from[unit][cell] united and rounded to float32. Of shifted moments y is the variance
 * (divided by `count`) and `mean` the mean. `unit`, `yStep` and so on are bytes.
 */
const end = (rule: Fold) =>
  define(
    integers("from", "unit", "units", "plane", "shift", "cell", "cells", "y", "yStep", "mean", "meanStep", "count"),
    (f, { from, unit, units, plane, shift, cell, cells, y, yStep, mean, meanStep, count }) => {
      const [at, u] = f.locals("i32", 2);
      const sums = f.locals("f64", rule.ops.length);
      const [shifted, middle] = f.locals("f64", 2);
      f.countdown(cells, () => {
        for (const [a, sum] of sums.entries()) {
          f.set(at, a === 0 ? from : op("i32.add", from, plane));
          f.set(sum, load("f64.load", at));
          f.set(u, op("i32.sub", units, 1));
          f.if(u, () =>
            f.countdown(u, () => {
              f.increase(at, unit);
              f.set(sum, fold("f64", rule.ops[a]!, sum, load("f64.load", at)));
            }),
          );
        }
        if (rule.shifted) {
          const n = op("f64.convert_i32_s", count);
          setShift(f, shifted, shift);
          f.set(middle, op("f64.div", sums[0]!, n));
          f.store("f32.store", mean, op("f32.demote_f64", op("f64.add", shifted, middle)));
          const square = op("f64.sub", op("f64.div", sums[1]!, n), op("f64.mul", middle, middle));
          f.store("f32.store", y, op("f32.demote_f64", op("f64.max", square, 0)));
        } else f.store("f32.store", y, op("f32.demote_f64", sums[0]!));
        f.increase(from, CELL);
        f.increase(shift, cell);
        f.increase(y, yStep);
        f.increase(mean, meanStep);
      });
    },
  );

export const reduceKernels = {
  sumColumns: columns(folds.sum),
  maxColumns: columns(folds.max),
  minColumns: columns(folds.min),
  momentsColumns: columns(folds.moments),
  sumCells: cells(folds.sum),
  maxCells: cells(folds.max),
  minCells: cells(folds.min),
  momentsCells: cells(folds.moments),
  sumEnd: end(folds.sum),
  maxEnd: end(folds.max),
  minEnd: end(folds.min),
  momentsEnd: end(folds.moments),
};
