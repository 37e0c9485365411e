// Elementwise loops over strided inputs into a contiguous output; one compiled loop per function and combination of array types.
import { copyFunction, perArrayTypes } from "../jit.ts";
import { collapse, eachOffset, type Strided, type TypedArray } from "../strided.ts";

// A plane of `rows` x `n` outputs from `out`; the makers below refer to nothing outside themselves, so that they can be copied.
type UnaryPlane = (
  x: TypedArray,
  at: number,
  row: number,
  step: number,
  out: TypedArray,
  to: number,
  rows: number,
  n: number,
) => void;
type BinaryPlane = (
  a: TypedArray,
  aAt: number,
  aRow: number,
  aStep: number,
  b: TypedArray,
  bAt: number,
  bRow: number,
  bStep: number,
  out: TypedArray,
  to: number,
  rows: number,
  n: number,
) => void;

function unaryPlane(f: (x: number) => number): UnaryPlane {
  return function plane(x, at, row, step, out, to, rows, n) {
    for (let r = 0; r < rows; r++) {
      const from = (at + r * row) | 0;
      const start = (to + r * n) | 0;
      let i = 0;
      if (step === 1) {
        for (; i + 3 < n; i += 4) {
          const p = (from + i) | 0;
          const q = (start + i) | 0;
          out[q] = f(x[p]!);
          out[q + 1] = f(x[p + 1]!);
          out[q + 2] = f(x[p + 2]!);
          out[q + 3] = f(x[p + 3]!);
        }
        for (; i < n; i++) out[start + i] = f(x[from + i]!);
      } else if (step === 0) {
        const value = f(x[from]!);
        for (; i < n; i++) out[start + i] = value;
      } else for (let p = from; i < n; i++, p = (p + step) | 0) out[start + i] = f(x[p]!);
    }
  };
}

// Four elements a turn: V8 checks the types of the arrays once per turn. Steps of 1 and 0 have turns of their own.
function binaryPlane(f: (a: number, b: number) => number): BinaryPlane {
  return function plane(a, aAt, aRow, aStep, b, bAt, bRow, bStep, out, to, rows, n) {
    for (let r = 0; r < rows; r++) {
      let p = (aAt + r * aRow) | 0;
      let q = (bAt + r * bRow) | 0;
      let o = (to + r * n) | 0;
      let i = 0;
      if (aStep === 1 && bStep === 1)
        for (; i + 3 < n; i += 4) {
          out[o] = f(a[p]!, b[q]!);
          out[o + 1] = f(a[p + 1]!, b[q + 1]!);
          out[o + 2] = f(a[p + 2]!, b[q + 2]!);
          out[o + 3] = f(a[p + 3]!, b[q + 3]!);
          p = (p + 4) | 0;
          q = (q + 4) | 0;
          o = (o + 4) | 0;
        }
      else if (aStep === 1 && bStep === 0) {
        const y = b[q]!;
        for (; i + 3 < n; i += 4) {
          out[o] = f(a[p]!, y);
          out[o + 1] = f(a[p + 1]!, y);
          out[o + 2] = f(a[p + 2]!, y);
          out[o + 3] = f(a[p + 3]!, y);
          p = (p + 4) | 0;
          o = (o + 4) | 0;
        }
      } else if (aStep === 0 && bStep === 1) {
        const x = a[p]!;
        for (; i + 3 < n; i += 4) {
          out[o] = f(x, b[q]!);
          out[o + 1] = f(x, b[q + 1]!);
          out[o + 2] = f(x, b[q + 2]!);
          out[o + 3] = f(x, b[q + 3]!);
          q = (q + 4) | 0;
          o = (o + 4) | 0;
        }
      }
      for (; i + 3 < n; i += 4) {
        out[o] = f(a[p]!, b[q]!);
        out[o + 1] = f(a[(p + aStep) | 0]!, b[(q + bStep) | 0]!);
        out[o + 2] = f(a[(p + 2 * aStep) | 0]!, b[(q + 2 * bStep) | 0]!);
        out[o + 3] = f(a[(p + 3 * aStep) | 0]!, b[(q + 3 * bStep) | 0]!);
        p = (p + 4 * aStep) | 0;
        q = (q + 4 * bStep) | 0;
        o = (o + 4) | 0;
      }
      for (; i < n; i++) {
        out[o] = f(a[p]!, b[q]!);
        p = (p + aStep) | 0;
        q = (q + bStep) | 0;
        o = (o + 1) | 0;
      }
    }
  };
}

function wherePlane(
  c: TypedArray,
  cAt: number,
  cRow: number,
  cStep: number,
  a: TypedArray,
  aAt: number,
  aRow: number,
  aStep: number,
  b: TypedArray,
  bAt: number,
  bRow: number,
  bStep: number,
  out: TypedArray,
  to: number,
  rows: number,
  n: number,
): void {
  for (let r = 0; r < rows; r++) {
    let w = (cAt + r * cRow) | 0;
    let p = (aAt + r * aRow) | 0;
    let q = (bAt + r * bRow) | 0;
    let o = (to + r * n) | 0;
    let i = 0;
    for (; i + 3 < n; i += 4) {
      out[o] = c[w]! !== 0 ? a[p]! : b[q]!;
      out[o + 1] = c[(w + cStep) | 0]! !== 0 ? a[(p + aStep) | 0]! : b[(q + bStep) | 0]!;
      out[o + 2] = c[(w + 2 * cStep) | 0]! !== 0 ? a[(p + 2 * aStep) | 0]! : b[(q + 2 * bStep) | 0]!;
      out[o + 3] = c[(w + 3 * cStep) | 0]! !== 0 ? a[(p + 3 * aStep) | 0]! : b[(q + 3 * bStep) | 0]!;
      w = (w + 4 * cStep) | 0;
      p = (p + 4 * aStep) | 0;
      q = (q + 4 * bStep) | 0;
      o = (o + 4) | 0;
    }
    for (; i < n; i++) {
      out[o] = c[w]! !== 0 ? a[p]! : b[q]!;
      w = (w + cStep) | 0;
      p = (p + aStep) | 0;
      q = (q + bStep) | 0;
      o = (o + 1) | 0;
    }
  }
}

interface Walk {
  readonly outer: readonly number[];
  readonly outerStrides: readonly (readonly number[])[];
  readonly rows: number;
  readonly n: number;
  readonly row: readonly number[];
  readonly step: readonly number[];
}

// The last two collapsed dims are the plane, the rest is walked from outside.
function walk(inputs: readonly Strided[]): Walk {
  const { shape, strides } = collapse(
    inputs[0]!.shape,
    inputs.map((x) => x.stride),
  );
  return planes(shape, strides);
}

function planes(shape: readonly number[], strides: readonly (readonly number[])[]): Walk {
  const d = shape.length;
  return {
    outer: shape.slice(0, Math.max(0, d - 2)),
    outerStrides: strides.map((s) => s.slice(0, Math.max(0, d - 2))),
    rows: d > 1 ? shape[d - 2]! : 1,
    n: d > 0 ? shape[d - 1]! : 1,
    row: strides.map((s) => (d > 1 ? s[d - 2]! : 0)),
    step: strides.map((s) => (d > 0 ? s[d - 1]! : 0)),
  };
}

/** A loop `out[i] = f(x[i])`; x strided, out contiguous of x's size. Array types may be mixed. */
export function unaryLoop(f: (x: number) => number): (x: Strided, out: TypedArray) => void {
  const plane = perArrayTypes(() => copyFunction(unaryPlane)(f));
  return (x, out) => {
    const { outer, outerStrides, rows, n, row, step } = walk([x]);
    const run = plane(x.data, out);
    let to = 0;
    eachOffset(outer, outerStrides, ([p]) => {
      run(x.data, x.offset + p!, row[0]!, step[0]!, out, to, rows, n);
      to += rows * n;
    });
  };
}

/** A loop `out[i] = f(a[i], b[i])`; a and b strided and of one shape (expanded by stride 0), out contiguous. */
export function binaryLoop(f: (a: number, b: number) => number): (a: Strided, b: Strided, out: TypedArray) => void {
  const plane = perArrayTypes(() => copyFunction(binaryPlane)(f));
  return (a, b, out) => {
    const { outer, outerStrides, rows, n, row, step } = walk([a, b]);
    const run = plane(a.data, b.data, out);
    let to = 0;
    eachOffset(outer, outerStrides, ([p, q]) => {
      run(a.data, a.offset + p!, row[0]!, step[0]!, b.data, b.offset + q!, row[1]!, step[1]!, out, to, rows, n);
      to += rows * n;
    });
  };
}

const whereKernel = perArrayTypes(() => copyFunction(wherePlane));

/** out[i] = c[i] ? a[i] : b[i]; inputs strided and of one shape, out contiguous. */
export function whereLoop(c: Strided, a: Strided, b: Strided, out: TypedArray): void {
  const { outer, outerStrides, rows, n, row, step } = walk([c, a, b]);
  const run = whereKernel(c.data, a.data, b.data, out);
  let to = 0;
  eachOffset(outer, outerStrides, ([w, p, q]) => {
    run(
      c.data,
      c.offset + w!,
      row[0]!,
      step[0]!,
      a.data,
      a.offset + p!,
      row[1]!,
      step[1]!,
      b.data,
      b.offset + q!,
      row[2]!,
      step[2]!,
      out,
      to,
      rows,
      n,
    );
    to += rows * n;
  });
}

function copyPlane(
  x: TypedArray,
  at: number,
  row: number,
  step: number,
  out: TypedArray,
  to: number,
  toRow: number,
  toStep: number,
  rows: number,
  n: number,
): void {
  for (let r = 0; r < rows; r++) {
    let p = (at + r * row) | 0;
    let q = (to + r * toRow) | 0;
    let i = 0;
    for (; i + 3 < n; i += 4) {
      out[q] = x[p]!;
      out[(q + toStep) | 0] = x[(p + step) | 0]!;
      out[(q + 2 * toStep) | 0] = x[(p + 2 * step) | 0]!;
      out[(q + 3 * toStep) | 0] = x[(p + 3 * step) | 0]!;
      p = (p + 4 * step) | 0;
      q = (q + 4 * toStep) | 0;
    }
    for (; i < n; i++) {
      out[q] = x[p]!;
      p = (p + step) | 0;
      q = (q + toStep) | 0;
    }
  }
}

const copyKernel = perArrayTypes(() => copyFunction(copyPlane));
// From this length on TypedArray.set beats a loop.
const LONG_RUN = 64;

/** Copies a strided x into the cells of `out` that `stride` and `at` address, converting as assignment does. */
export function stridedCopyInto(x: Strided, out: TypedArray, stride: readonly number[], at: number): void {
  const { shape, strides } = collapse(x.shape, [x.stride, stride]);
  const { outer, outerStrides, rows, n, row, step } = planes(shape, strides);
  const run = copyKernel(x.data, out);
  const long = step[0] === 1 && step[1] === 1 && n >= LONG_RUN;
  eachOffset(outer, outerStrides, ([p, q]) => {
    if (!long) run(x.data, x.offset + p!, row[0]!, step[0]!, out, at + q!, row[1]!, step[1]!, rows, n);
    else
      for (let r = 0; r < rows; r++) {
        const from = x.offset + p! + r * row[0]!;
        out.set(x.data.subarray(from, from + n), at + q! + r * row[1]!);
      }
  });
}

/** Copies a strided x into a contiguous out, converting between array types as assignment does. */
export function stridedCopy(x: Strided, out: TypedArray): void {
  let size = 1;
  const stride = [...x.shape];
  for (let d = stride.length - 1; d >= 0; d--) {
    stride[d] = size;
    size *= x.shape[d]!;
  }
  stridedCopyInto(x, out, stride, 0);
}
