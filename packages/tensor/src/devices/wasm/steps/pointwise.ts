// A fused pointwise group over loops of any strides.
import { argumentWords } from "../pointwise/emit.ts";
import { type Machine, share } from "./machine.ts";

export interface PointwiseStep {
  readonly op: "pointwise";
  /** Name of the fused kernel. */
  readonly kernel: string;
  readonly scalars: readonly number[];
  /** Turns of the loops, outermost first; at least three: rows, pixels and the innermost one come last. */
  readonly loops: readonly number[];
  /** Operands, then stores: byte address of the first element, bytes per turn of each loop. */
  readonly accesses: readonly { readonly address: number; readonly strides: readonly number[] }[];
  /** Operands whose pixels lie apart, to be fetched before a call computes with them. */
  readonly apart?: readonly number[];
  /** Byte addresses of partial sums [units][inner]. */
  readonly sums: readonly number[];
  /** Into how many pieces the pixels (all loops but the innermost) are cut. Fixed by the shape, so that sums do not depend on threads. */
  readonly units: number;
  /** Pixels of one kernel call at most: what is read and written stays in cache. */
  readonly block: number;
}

/** What of a machine the step uses. */
export type PointwiseMachine = Pick<Machine, "floats" | "integers" | "fused" | "args" | "thread" | "threads"> & {
  readonly kernels: Pick<Machine["kernels"], "touch">;
};

/** The units are shared among the threads: a long innermost loop must be cut into pixels by the plan. */
export function runPointwise(step: PointwiseStep, machine: PointwiseMachine): void {
  const { loops, sums, units } = step;
  const inner = loops.at(-1)!;
  const pixels = loops.slice(0, -1).reduce((product, n) => product * n, 1);
  const [from, to] = share(units, machine);
  if (from === to || inner === 0) return;
  writeConstants(step, machine);
  const { sum } = argumentWords(step.accesses.length, sums.length, step.scalars.length);
  const words = machine.args / 4;
  for (let unit = from; unit < to; unit++) {
    for (let i = 0; i < sums.length; i++) {
      const address = sums[i]! + 4 * unit * inner;
      machine.floats.fill(0, address / 4, address / 4 + inner);
      machine.integers[words + sum(i)] = address;
    }
    runPixels(step, machine, Math.floor((pixels * unit) / units), Math.floor((pixels * (unit + 1)) / units));
  }
}

/** What all calls of a step have in common. */
function writeConstants(
  { loops, accesses, sums, scalars }: PointwiseStep,
  { args, integers, floats }: PointwiseMachine,
): void {
  const { access, scalar } = argumentWords(accesses.length, sums.length, scalars.length);
  const words = args / 4;
  integers[words + 2] = loops.at(-1)!;
  for (const [i, { strides }] of accesses.entries())
    for (let loop = 0; loop < 3; loop++) integers[words + access(i) + 1 + loop] = strides[strides.length - 3 + loop]!;
  for (const [i, x] of scalars.entries()) floats[words + scalar(i)] = x;
}

type Steps = [row: number, pixel: number, inner: number];
/** Calls of whole rows while they fit into a block and into the range, of parts of a row otherwise. */
function runPixels(
  { kernel, loops, accesses, apart = [], block }: PointwiseStep,
  machine: PointwiseMachine,
  from: number,
  to: number,
): void {
  const { args, integers, fused, kernels } = machine;
  const run = fused[kernel]!;
  const { access } = argumentWords(accesses.length, 0, 0);
  const words = args / 4;
  const last = loops.length - 2;
  const columns = loops[last]!;
  const height = loops[last - 1]!;
  const turns = loops.map(() => 0);
  for (let pixel = from; pixel < to; ) {
    const column = pixel % columns;
    const most = Math.min(block, to - pixel);
    const whole = column === 0 && most >= columns;
    const row = Math.floor(pixel / columns) % height;
    const rows = whole ? Math.min(height - row, Math.floor(most / columns)) : 1;
    const part = whole ? columns : Math.min(columns - column, most);
    integers[words] = rows;
    integers[words + 1] = part;
    for (let loop = last, rest = pixel; loop >= 0; loop--) {
      turns[loop] = rest % loops[loop]!;
      rest = Math.floor(rest / loops[loop]!);
    }
    for (let i = 0; i < accesses.length; i++) {
      const { address, strides } = accesses[i]!;
      let at = address;
      for (let loop = 0; loop <= last; loop++) at += turns[loop]! * strides[loop]!;
      integers[words + access(i)] = at;
    }
    for (const i of apart) {
      const [at, [row, step, word]] = [integers[words + access(i)]!, accesses[i]!.strides.slice(-3) as Steps];
      kernels.touch({ at, rows, pixels: part, row, pixel: step, bytes: word * loops[last + 1]! });
    }
    run(args);
    pixel += rows * part;
  }
}
