// Reductions over any axes of a strided input into a contiguous output; sums in double, always in the same order.
import { copyFunction, perArrayTypes } from "../jit.ts";
import { collapse, eachOffset, type FloatArray, type Strided, type TypedArray } from "../strided.ts";

type Fold = (
  x: TypedArray,
  at: number,
  cells: number,
  cell: number,
  rows: number,
  row: number,
  n: number,
  step: number,
  shift: Float64Array,
  sums: Float64Array,
  to: number,
) => void;

// Folds, for each of `cells` results `cell` apart, the plane of rows x n elements at its place into sums[to ...]. `f` takes
// one element in, `join` unites two partial results, `shift` is one number per cell that `f` may want.
// Refers to nothing outside itself, so that it can be copied.
function foldCells(
  f: (sum: number, x: number, shift: number) => number,
  join: (a: number, b: number) => number,
  start: number,
): Fold {
  return function fold(x, at, cells, cell, rows, row, n, step, shift, sums, to) {
    if (cell === 1 && step !== 1) {
      // Cells lie side by side: walk them innermost, along the lines of the cache.
      for (let r = 0; r < rows; r++) {
        let p = (at + r * row) | 0;
        let i = 0;
        for (; i + 3 < n; i += 4) {
          const p1 = (p + step) | 0;
          const p2 = (p1 + step) | 0;
          const p3 = (p2 + step) | 0;
          for (let c = 0; c < cells; c++) {
            const m = shift[to + c]!;
            sums[to + c] = f(f(f(f(sums[to + c]!, x[p + c]!, m), x[p1 + c]!, m), x[p2 + c]!, m), x[p3 + c]!, m);
          }
          p = (p3 + step) | 0;
        }
        for (; i < n; i++) {
          for (let c = 0; c < cells; c++) sums[to + c] = f(sums[to + c]!, x[p + c]!, shift[to + c]!);
          p = (p + step) | 0;
        }
      }
      return;
    }
    for (let c = 0; c < cells; c++) {
      const m = shift[to + c]!;
      let total = sums[to + c]!;
      for (let r = 0; r < rows; r++) {
        let p = (at + c * cell + r * row) | 0;
        let i = 0;
        // Four partial results: a single one would wait for each addition.
        if (n >= 8) {
          let s0 = start;
          let s1 = start;
          let s2 = start;
          let s3 = start;
          for (; i + 3 < n; i += 4) {
            s0 = f(s0, x[p]!, m);
            s1 = f(s1, x[(p + step) | 0]!, m);
            s2 = f(s2, x[(p + 2 * step) | 0]!, m);
            s3 = f(s3, x[(p + 3 * step) | 0]!, m);
            p = (p + 4 * step) | 0;
          }
          total = join(total, join(join(s0, s1), join(s2, s3)));
        }
        for (; i < n; i++) {
          total = f(total, x[p]!, m);
          p = (p + step) | 0;
        }
      }
      sums[to + c] = total;
    }
  };
}

const add = (a: number, b: number) => a + b;
const addSquare = (a: number, x: number, mean: number) => a + (x - mean) * (x - mean);
// NaN wins, as in PyTorch.
const larger = (a: number, b: number) => (b > a || Number.isNaN(b) ? b : a);
const smaller = (a: number, b: number) => (b < a || Number.isNaN(b) ? b : a);

const foldSum = perArrayTypes(() => copyFunction(foldCells)(add, add, 0));
const foldSquares = perArrayTypes(() => copyFunction(foldCells)(addSquare, add, 0));
const foldMax = perArrayTypes(() => copyFunction(foldCells)(larger, larger, Number.NEGATIVE_INFINITY));
const foldMin = perArrayTypes(() => copyFunction(foldCells)(smaller, smaller, Number.POSITIVE_INFINITY));

interface Plan {
  /** Dims of results walked from outside, and the last one, walked inside. */
  readonly kept: { shape: number[]; stride: number[]; cells: number; cell: number };
  /** Reduced dims walked from outside, and the last two, walked inside. */
  readonly reduced: { shape: number[]; stride: number[]; rows: number; row: number; n: number; step: number };
  readonly count: number;
}

function plan(x: Strided, axes: readonly number[]): Plan {
  const pick = (reduced: boolean) => {
    const dims = x.shape.map((_, d) => d).filter((d) => axes.includes(d) === reduced);
    const { shape, strides } = collapse(
      dims.map((d) => x.shape[d]!),
      [dims.map((d) => x.stride[d]!)],
    );
    return { shape, stride: strides[0]! };
  };
  const kept = pick(false);
  const reduced = pick(true);
  return {
    kept: { cells: kept.shape.pop() ?? 1, cell: kept.stride.pop() ?? 0, ...kept },
    count: reduced.shape.reduce((a, b) => a * b, 1),
    reduced: {
      n: reduced.shape.pop() ?? 1,
      step: reduced.stride.pop() ?? 0,
      rows: reduced.shape.pop() ?? 1,
      row: reduced.stride.pop() ?? 0,
      ...reduced,
    },
  };
}

function reduce(x: Strided, { kept, reduced }: Plan, run: Fold, sums: Float64Array, shift = sums): void {
  const { rows, row, n, step } = reduced;
  let to = 0;
  eachOffset(kept.shape, [kept.stride], ([k]) => {
    eachOffset(reduced.shape, [reduced.stride], ([p]) => {
      run(x.data, x.offset + k! + p!, kept.cells, kept.cell, rows, row, n, step, shift, sums, to);
    });
    to += kept.cells;
  });
}

/** Sums over `axes`; out has one cell per index of the kept dims, row-major. An empty sum is 0. */
export function sum(x: Strided, axes: readonly number[], out: TypedArray): void {
  const sums = new Float64Array(out.length);
  reduce(x, plan(x, axes), foldSum(x.data), sums);
  out.set(sums);
}

/** Maxima over `axes`; NaN wins. */
export function amax(x: Strided, axes: readonly number[], out: TypedArray): void {
  const best = new Float64Array(out.length).fill(Number.NEGATIVE_INFINITY);
  reduce(x, plan(x, axes), foldMax(x.data), best);
  out.set(best);
}

/** Minima over `axes`; NaN wins. */
export function amin(x: Strided, axes: readonly number[], out: TypedArray): void {
  const best = new Float64Array(out.length).fill(Number.POSITIVE_INFINITY);
  reduce(x, plan(x, axes), foldMin(x.data), best);
  out.set(best);
}

/** Variance (divided by the count) and mean over `axes`, in two passes over x, so that a large mean costs no digits. */
export function varMean(x: Strided, axes: readonly number[], variance: FloatArray, mean: FloatArray): void {
  const plans = plan(x, axes);
  const middle = new Float64Array(mean.length);
  reduce(x, plans, foldSum(x.data), middle);
  for (let c = 0; c < middle.length; c++) middle[c] = middle[c]! / plans.count;
  const squares = new Float64Array(mean.length);
  reduce(x, plans, foldSquares(x.data), squares, middle);
  for (let c = 0; c < middle.length; c++) {
    mean[c] = middle[c]!;
    variance[c] = squares[c]! / plans.count;
  }
}
