// What a step runs on: one thread's view of the memory and the kernels.
import type { Kernels } from "../runtime.ts";

export interface Machine {
  /** The whole memory as floats and as integers: index = byte address / 4. */
  readonly floats: Float32Array;
  readonly integers: Int32Array;
  /** The kernels that every program shares. */
  readonly kernels: Kernels;
  /** The program's fused pointwise kernels: each takes the byte address of its arguments. */
  readonly fused: Readonly<Record<string, (args: number) => void>>;
  /** Bytes of memory that belong to this thread: arguments of a kernel call, then scratch. */
  readonly args: number;
  readonly scratch: number;
  /** Makes a host call; the first thread alone has it. */
  readonly host?: (call: number) => void;
  readonly thread: number;
  readonly threads: number;
}

/** This thread's part of n equal pieces of work: [from, to). */
export const share = (
  n: number,
  { thread, threads }: Pick<Machine, "thread" | "threads">,
): readonly [number, number] => [Math.floor((n * thread) / threads), Math.floor((n * (thread + 1)) / threads)];
