// Winograd's minimal filters: the matrices of each, and how a vector of vectors is multiplied by one.
//
//   F(m x m, r x r):  y  = A' [(G g G') * (B' d B)] A      patches d [n, n], kernel g [r, r], results y [m, m], n = m + r - 1
//   F(r x r, m x m):  dg = G' [(A e A') * (B' d B)] G      cotangents e [m, m]: the adjoint of the first in g
//
// (Lavin and Gray 2016, section 4.) A polynomial product is taken at n points, the last of them infinity: A and G have the
// powers of the points as rows, B' the polynomials that are 0 at all points but one. A row of B' may be multiplied by what the
// row of G is divided by. Points come as x and -x: of such a pair the even and the odd powers are summed once.
import type { FunctionBuilder } from "../assembler.ts";
import { f32x4, type Local, op, type Value } from "../values.ts";

type Row = readonly number[];
/** The rows of points x and -x: even + odd and even - odd. */
interface Pair {
  readonly even: Row;
  readonly odd: Row;
}
/** A matrix of n rows. */
export type Matrix = readonly (Row | Pair)[];

/** One F(m x m, r x r) and its adjoint. */
export interface Filter {
  /** Results of a tile in a row, and in a column. */
  readonly m: number;
  /** Taps in a row, and in a column. */
  readonly r: number;
  /** B', n x n. */
  readonly patches: Matrix;
  /** G, n x r. */
  readonly kernels: Matrix;
  /** A, n x m. */
  readonly results: Matrix;
}

const [P, Q] = [Math.SQRT1_2, Math.SQRT2];
/** B' of the points 0, 1/p, -1/p, p, -p and infinity, p = sqrt(2). */
const SIX_POINTS = [
  [1, 0, -2.5, 0, 1, 0],
  { even: [0, 0, 2, 0, -1, 0], odd: [0, Q, 0, -P, 0, 0] },
  { even: [0, 0, -0.5, 0, 1, 0], odd: [0, -P, 0, Q, 0, 0] },
  [0, 1, 0, -2.5, 0, 1],
];

/** Every filter that has kernels. */
export const filters = {
  /** Points 0, 1, -1 and infinity. */
  F23: {
    m: 2,
    r: 3,
    patches: [[1, 0, -1, 0], { even: [0, 0, 1, 0], odd: [0, 1, 0, 0] }, [0, -1, 0, 1]],
    kernels: [[1, 0, 0], { even: [0.5, 0, 0.5], odd: [0, 0.5, 0] }, [0, 0, 1]],
    results: [[1, 0], { even: [1, 0], odd: [0, 1] }, [0, 1]],
  },
  /**
   * Points 0, 1/p, -1/p, p, -p and infinity, p = sqrt(2). With the usual 1 and 2 rounding errors are three times as large.
   * Powers of p^2 = 2 stay exact.
   */
  F43: {
    m: 4,
    r: 3,
    patches: SIX_POINTS,
    kernels: [
      [1, 0, 0],
      { even: [2 / 3, 0, 1 / 3], odd: [0, (2 * P) / 3, 0] },
      { even: [1 / 6, 0, 1 / 3], odd: [0, Q / 6, 0] },
      [0, 0, 1],
    ],
    results: [
      [1, 0, 0, 0],
      { even: [1, 0, 0.5, 0], odd: [0, P, 0, P / 2] },
      { even: [1, 0, 2, 0], odd: [0, Q, 0, 2 * Q] },
      [0, 0, 0, 1],
    ],
  },
  /** For kernels 3 x 3 of stride 2 alone, see winograd-strided.ts. The points of F43 but 0. */
  F42: {
    m: 4,
    r: 2,
    patches: [
      { even: [1, 0, -0.5, 0, 0], odd: [0, Q, 0, -P, 0] },
      { even: [-1, 0, 2, 0, 0], odd: [0, -P, 0, Q, 0] },
      [1, 0, -2.5, 0, 1],
    ],
    kernels: [{ even: [2 / 3, 0], odd: [0, (2 * P) / 3] }, { even: [1 / 6, 0], odd: [0, Q / 6] }, [0, 1]],
    results: [
      { even: [1, 0, 0.5, 0], odd: [0, P, 0, P / 2] },
      { even: [1, 0, 2, 0], odd: [0, Q, 0, 2 * Q] },
      [0, 0, 0, 1],
    ],
  },
  /** As F42, with the points of F43. */
  F52: {
    m: 5,
    r: 2,
    patches: SIX_POINTS,
    kernels: [[1, 0], { even: [2 / 3, 0], odd: [0, (2 * P) / 3] }, { even: [1 / 6, 0], odd: [0, Q / 6] }, [0, 1]],
    results: [
      [1, 0, 0, 0, 0],
      { even: [1, 0, 0.5, 0, 0.25], odd: [0, P, 0, P / 2, 0] },
      { even: [1, 0, 2, 0, 4], odd: [0, Q, 0, 2 * Q, 0] },
      [0, 0, 0, 0, 1],
    ],
  },
} as const satisfies Readonly<Record<string, Filter>>;
export type FilterName = keyof typeof filters;
/** Those of stride 2. */
export type StridedName = "F42" | "F52";
export const isStrided = (filter: FilterName): filter is StridedName => filter === "F42" || filter === "F52";

/** n: positions of a patch in a row, and in a column. */
export const patchOf = ({ m, r }: Pick<Filter, "m" | "r">): number => m + r - 1;

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

type Vector = Value<"v128">;
export const plus = (a: Vector, b: Vector): Vector => op("f32x4.add", a, b);
export const minus = (a: Vector, b: Vector) => op("f32x4.sub", a, b);

/** Emits the product of a matrix and `from`, calling `use` once with each of its values, in order. */
export type Multiply = (from: readonly Local<"v128">[], use: (value: Vector, i: number) => void) => void;

const isPair = (entry: Row | Pair): entry is Pair => "even" in entry;
/** The rows that are summed. */
const sums = (matrix: Matrix): Row[] => matrix.flatMap((entry) => (isPair(entry) ? [entry.even, entry.odd] : [entry]));

/** Products with the matrix. Its constants are locals, set here, once. */
export function times(f: FunctionBuilder, matrix: Matrix): Multiply {
  const combine = combination(f, sums(matrix));
  const [even, odd] = f.locals("v128", 2);
  return (from, use) => {
    let i = 0;
    for (const entry of matrix)
      if (isPair(entry)) {
        f.set(even, combine(entry.even, from));
        f.set(odd, combine(entry.odd, from));
        use(plus(even, odd), i++);
        use(minus(even, odd), i++);
      } else use(combine(entry, from), i++);
  };
}

/** Products with the transposed matrix; the values multiplied are used up. */
export function timesTransposed(f: FunctionBuilder, matrix: Matrix): Multiply {
  const rows = sums(matrix);
  const columns = rows[0]!.map((_, j) => rows.map((row) => row[j]!));
  const combine = combination(f, columns);
  const sum = f.local("v128");
  return (from, use) => {
    let i = 0;
    for (const entry of matrix) {
      if (isPair(entry)) {
        const [a, b] = [from[i]!, from[i + 1]!];
        f.set(sum, plus(a, b));
        f.set(b, minus(a, b));
        f.set(a, sum);
      }
      i += isPair(entry) ? 2 : 1;
    }
    for (const [j, column] of columns.entries()) use(combine(column, from), j);
  };
}

/** Sums of multiples by the rows given; each has a positive number. */
function combination(f: FunctionBuilder, rows: readonly Row[]) {
  const constants = new Map<number, Local<"v128">>();
  for (const factor of rows.flat().map(Math.abs)) {
    if (factor === 0 || factor === 1 || constants.has(factor)) continue;
    const local = f.local("v128");
    f.set(local, f32x4(factor));
    constants.set(factor, local);
  }
  return (row: Row, from: readonly Vector[]): Vector => {
    const terms = row
      .map((factor, i) => ({ factor, i }))
      .filter(({ factor }) => factor !== 0)
      .sort((a, b) => Number(a.factor < 0) - Number(b.factor < 0)) // the first is not subtracted
      .map(({ factor, i }) => {
        const constant = constants.get(Math.abs(factor));
        return { negative: factor < 0, value: constant ? op("f32x4.mul", from[i]!, constant) : from[i]! };
      });
    return terms
      .slice(1)
      .reduce<Vector>((sum, { negative, value }) => (negative ? minus : plus)(sum, value), terms[0]!.value);
  };
}
