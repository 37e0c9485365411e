// Reductions over any axes of a strided input into a contiguous output; sums in double, always in the same order.
import { copyFunction, perArrayTypes } from "../jit.ts";
import { collapse, eachOffset, type FloatArray, type Strided, type TypedArray } from "../strided.ts";

interface Plan {
  readonly kept: { shape: number[]; strides: number[][] };
  readonly rows: number;
  readonly n: number;
  readonly row: number;
  readonly step: number;
  readonly outer: { shape: number[]; strides: number[][] };
  readonly count: number;
}

// Kept dims are walked in order, so cells come out row-major; the last two collapsed reduced dims are the inner loops.
function plan(x: Strided, axes: readonly number[]): Plan {
  const pick = (keep: boolean) => {
    const dims = x.shape.map((_, d) => d).filter((d) => axes.includes(d) !== keep);
    return collapse(
      dims.map((d) => x.shape[d]!),
      [dims.map((d) => x.stride[d]!)],
    );
  };
  const { shape, strides } = pick(false);
  const stride = strides[0]!;
  const d = shape.length;
  return {
    kept: pick(true),
    rows: d > 1 ? shape[d - 2]! : 1,
    n: d > 0 ? shape[d - 1]! : 1,
    row: d > 1 ? stride[d - 2]! : 0,
    step: d > 0 ? stride[d - 1]! : 0,
    outer: { shape: shape.slice(0, Math.max(0, d - 2)), strides: [stride.slice(0, Math.max(0, d - 2))] },
    count: shape.reduce((a, b) => a * b, 1),
  };
}

type Plane = (x: TypedArray, at: number, rows: number, row: number, n: number, step: number, start: number) => number;

function sumPlane(
  x: TypedArray,
  at: number,
  rows: number,
  row: number,
  n: number,
  step: number,
  start: number,
): number {
  let total = start;
  for (let r = 0; r < rows; r++) {
    let p = (at + r * row) | 0;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    let i = 0;
    // Four sums: one would wait for each addition.
    for (; i + 3 < n; i += 4) {
      s0 += x[p]!;
      s1 += x[p + step]!;
      s2 += x[p + 2 * step]!;
      s3 += x[p + 3 * step]!;
      p = (p + 4 * step) | 0;
    }
    for (; i < n; i++, p = (p + step) | 0) s0 += x[p]!;
    total += s0 + s1 + (s2 + s3);
  }
  return total;
}

// `start` is the mean here and the sum of squares begins at zero.
function squaresPlane(
  x: TypedArray,
  at: number,
  rows: number,
  row: number,
  n: number,
  step: number,
  start: number,
): number {
  let total = 0;
  for (let r = 0; r < rows; r++) {
    let p = (at + r * row) | 0;
    let s0 = 0;
    let s1 = 0;
    let i = 0;
    for (; i + 1 < n; i += 2) {
      const u = x[p]! - start;
      const v = x[p + step]! - start;
      s0 += u * u;
      s1 += v * v;
      p = (p + 2 * step) | 0;
    }
    for (; i < n; i++) {
      const u = x[p]! - start;
      s0 += u * u;
    }
    total += s0 + s1;
  }
  return total;
}

// NaN wins, as in PyTorch.
function maxPlane(
  x: TypedArray,
  at: number,
  rows: number,
  row: number,
  n: number,
  step: number,
  start: number,
): number {
  let best = start;
  for (let r = 0; r < rows; r++)
    for (let i = 0, p = (at + r * row) | 0; i < n; i++, p = (p + step) | 0) {
      const value = x[p]!;
      if (value > best || Number.isNaN(value)) best = value;
    }
  return best;
}

function minPlane(
  x: TypedArray,
  at: number,
  rows: number,
  row: number,
  n: number,
  step: number,
  start: number,
): number {
  let best = start;
  for (let r = 0; r < rows; r++)
    for (let i = 0, p = (at + r * row) | 0; i < n; i++, p = (p + step) | 0) {
      const value = x[p]!;
      if (value < best || Number.isNaN(value)) best = value;
    }
  return best;
}

const sumKernel = perArrayTypes(() => copyFunction<Plane>(sumPlane));
const squaresKernel = perArrayTypes(() => copyFunction<Plane>(squaresPlane));
const maxKernel = perArrayTypes(() => copyFunction<Plane>(maxPlane));
const minKernel = perArrayTypes(() => copyFunction<Plane>(minPlane));

function reduce(x: Strided, axes: readonly number[], out: TypedArray, run: Plane, start: number): void {
  const { kept, outer, rows, n, row, step } = plan(x, axes);
  let cell = 0;
  eachOffset(kept.shape, kept.strides, ([k]) => {
    let value = start;
    eachOffset(outer.shape, outer.strides, ([p]) => {
      value = run(x.data, x.offset + k! + p!, rows, row, n, step, value);
    });
    out[cell++] = value;
  });
}

/** Sums over `axes`; out has one cell per index of the kept dims, row-major. An empty sum is 0. */
export function sum(x: Strided, axes: readonly number[], out: TypedArray): void {
  reduce(x, axes, out, sumKernel(x.data), 0);
}

/** Maxima over `axes`; NaN wins. */
export function amax(x: Strided, axes: readonly number[], out: TypedArray): void {
  reduce(x, axes, out, maxKernel(x.data), Number.NEGATIVE_INFINITY);
}

/** Minima over `axes`; NaN wins. */
export function amin(x: Strided, axes: readonly number[], out: TypedArray): void {
  reduce(x, axes, out, minKernel(x.data), Number.POSITIVE_INFINITY);
}

/** Variance (divided by the count) and mean over `axes`, in two passes over x, so that a large mean costs no digits. */
export function varMean(x: Strided, axes: readonly number[], variance: FloatArray, mean: FloatArray): void {
  const { kept, outer, rows, n, row, step, count } = plan(x, axes);
  const sums = sumKernel(x.data);
  const squares = squaresKernel(x.data);
  let cell = 0;
  eachOffset(kept.shape, kept.strides, ([k]) => {
    let total = 0;
    eachOffset(outer.shape, outer.strides, ([p]) => {
      total = sums(x.data, x.offset + k! + p!, rows, row, n, step, total);
    });
    const middle = total / count;
    let spread = 0;
    eachOffset(outer.shape, outer.strides, ([p]) => {
      spread += squares(x.data, x.offset + k! + p!, rows, row, n, step, middle);
    });
    mean[cell] = middle;
    variance[cell++] = spread / count;
  });
}
