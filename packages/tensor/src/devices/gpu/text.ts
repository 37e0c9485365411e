// Pieces of kernel text: thread coordinates, index arithmetic, loops. Sizes are literals: a kernel is made per shape.
import type { Place } from "./place.ts";

/** The cells that threads write, one each: `output` as gpu.js wants it, and the coordinates along `dims` as text. */
export interface Threads {
  readonly output: readonly number[];
  readonly lines: readonly string[];
  readonly at: readonly string[];
}
/** Most groups of threads along one axis (WebGPU). */
const MAX_GROUPS = 65535;

/** One thread per cell of `dims` (outermost first). gpu.js has three axes of threads; more are cut out of y and z. */
export function threads(dims: readonly number[]): Threads {
  const rank = dims.length;
  if (rank === 0) return { output: [1], lines: [], at: [] };
  if (rank <= 3)
    return { output: [...dims].reverse(), lines: [], at: dims.map((_, d) => `this.thread.${"xyz"[rank - 1 - d]}`) };
  const product = (from: number, to: number) => dims.slice(from, to).reduce((a, b) => a * b, 1);
  let cut = 1;
  while (cut < rank - 2 && product(0, cut + 1) <= MAX_GROUPS) cut++;
  const lines: string[] = [];
  const at = dims.map(() => "this.thread.x");
  const ranges = [
    [0, cut, "z"],
    [cut, rank - 1, "y"],
  ] as const;
  for (const [from, to, axis] of ranges) {
    let rest = `this.thread.${axis}`;
    for (let d = to - 1; d > from; d--) {
      lines.push(`const q${d} = ${quotient(rest, dims[d]!)};`, `const t${d} = ${rest} - q${d} * ${dims[d]};`);
      at[d] = `t${d}`;
      rest = `q${d}`;
    }
    at[from] = rest;
  }
  return { output: [dims[rank - 1]!, product(cut, rank - 1), product(0, cut)], lines, at };
}

/** floor(a / n) of whole numbers. Division is in f32 and WGSL allows 2.5 ulp: half a step keeps exact quotients from falling. */
export const quotient = (a: string, n: number): string => (n === 1 ? a : `Math.floor((${a} + 0.5) / ${n})`);

/** gpu.js makes every `const` and most loop variables f32, exact to 2^24 only: each term becomes an integer where it is used. */
const whole = (a: string): string => (/^this\.thread\.[xyz]$/.test(a) ? a : `(${a} | 0)`);

/** The element at coordinates, as the sum of its terms. */
export function index(offset: number, stride: readonly number[], at: readonly string[]): string {
  const terms = stride.flatMap((s, i) => {
    if (s === 0 || at[i] === "0") return [];
    return [s === 1 ? whole(at[i]!) : `${whole(at[i]!)} * ${number(s)}`];
  });
  if (offset || !terms.length) terms.push(String(offset));
  return terms.join(" + ");
}
/** An element of a place, in the array of that name. */
export const element = (array: string, { offset, stride }: Place, at: readonly string[]): string =>
  `${array}[${index(offset, stride, at)}]`;

export const number = (x: number): string => (x < 0 || Object.is(x, -0) ? `(-${-x})` : `${x}`);

/** Whether `v` is one of 0..n-1, for conditions. */
export const inside = (v: string, n: number): string => `${v} >= 0 && ${v} < ${n}`;

/** Nested loops over `dims`, outermost first, with the variables r0, r1, ... */
export const nested = (dims: readonly number[], body: readonly string[]): string[] => [
  ...dims.map((n, i) => `for (let r${i} = 0; r${i} < ${n}; r${i}++) {`),
  ...body,
  ...dims.map(() => "}"),
];

/** A kernel over arrays a0, a1, ... */
export const kernelText = (arrays: number, lines: readonly string[]): string =>
  `function(${Array.from({ length: arrays }, (_, i) => `a${i}`).join(", ")}) {\n${lines.join("\n")}\n}`;
