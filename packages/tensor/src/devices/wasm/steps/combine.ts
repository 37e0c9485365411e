// Partial sums of several units become sums, or variances and means, in float64 and in the order of the units.
import { type Machine, share } from "./machine.ts";

/** A row of floats: byte address of the first, bytes from one to the next. */
interface Floats {
  readonly address: number;
  readonly stride: number;
}
export type CombineStep = {
  readonly op: "combine";
  readonly units: number;
  /** How many sums there are: partial sums lie as [units][inner]. */
  readonly inner: number;
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

/** Below this many partial sums threads cost more than they save. */
const WORTH_SHARING = 4096;

/** The sums are shared among the threads if there are many of them; each is computed by one thread. */
export function runCombine(step: CombineStep, machine: Pick<Machine, "floats" | "thread" | "threads">): void {
  const { units, inner } = step;
  const few = units * inner < WORTH_SHARING;
  if (few && machine.thread > 0) return;
  const [from, to] = few ? [0, inner] : share(inner, machine);
  const { floats } = machine;
  const total = (address: number, i: number): number => {
    let sum = 0;
    for (let unit = 0; unit < units; unit++) sum += floats[address / 4 + unit * inner + i]!;
    return sum;
  };
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
