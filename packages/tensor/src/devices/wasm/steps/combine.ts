// Partial sums of several units become sums, or variances and means, in float64 and in their order.
import { type Machine, share } from "./machine.ts";

/** A row of floats: byte address of the first, bytes from one to the next. */
interface Floats {
  readonly address: number;
  readonly stride: number;
}
export type CombineStep = {
  readonly op: "combine";
  /** How many sums there are, and how many partial sums to each. */
  readonly sums: number;
  readonly terms: number;
  /** Floats from one sum's first partial sum to the next one's, and between those of one sum. */
  readonly next: number;
  readonly step: number;
  /** Byte address of the partial sums: of the values, or of the values less the shift. */
  readonly partial: number;
} & (
  | { readonly mode: "sum"; readonly out: Floats }
  | {
      readonly mode: "varMean";
      /** Byte address of the partial sums of the squares of the values less the shift. */
      readonly squares: number;
      /** A number near the values of each sum: the variance loses no digits to a large mean. */
      readonly shift: Floats;
      /** How many values there are to each sum. */
      readonly count: number;
      /** Population variance, at least 0, and mean. */
      readonly variance: Floats;
      readonly mean: Floats;
    }
);

/** The sums are shared among the threads; each is computed by one thread. */
export function runCombine(step: CombineStep, machine: Pick<Machine, "floats" | "thread" | "threads">): void {
  const { sums, terms, next, step: apart } = step;
  const [from, to] = share(sums, machine);
  const { floats } = machine;
  const total = (address: number, i: number) => sumOf(floats, address / 4 + i * next, terms, apart);
  const index = ({ address, stride }: Floats, i: number) => (address + i * stride) / 4;
  for (let i = from; i < to; i++) {
    const sum = total(step.partial, i);
    if (step.mode === "sum") floats[index(step.out, i)] = sum;
    else {
      const difference = sum / step.count;
      const square = total(step.squares, i) / step.count;
      const shift = floats[index(step.shift, i)]!;
      floats[index(step.variance, i)] = Math.max(0, square - difference * difference);
      floats[index(step.mean, i)] = shift + difference;
    }
  }
}

/** A function of numbers alone: steps have many shapes, and what reads them is never compiled for good. */
function sumOf(floats: Float32Array, first: number, terms: number, apart: number): number {
  let sum = 0;
  for (let term = 0, at = first; term < terms; term++, at += apart) sum += floats[at]!;
  return sum;
}
