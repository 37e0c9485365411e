// What a device is: it takes an optimized program and runs it.
import type { Hoisted } from "../passes/hoist.ts";
import type { Concrete, Tensor } from "../tensor.ts";

export interface Device {
  readonly name: string;
  /** @throws OpError if the device cannot run the program, MemoryError if it has no room for it. */
  load(program: Hoisted): Executable;
}
export interface Executable {
  /** Memory that the program was planned to take; absent where it is taken as needed. */
  readonly memory?: PlannedMemory;
  /** Time that every step of the runs so far took, where the device was asked to take it. */
  timings?(): readonly StepTiming[];
  /**
   * One run: inputs in, Variables updated, outputs out. If it throws, other programs still run; Variables that it assigns and
   * the device holds may have the old or the new value.
   */
  run(inputs: readonly Concrete[]): Promise<readonly Tensor[]>;
  /** Gives back what the program holds. */
  dispose(): void;
}
/** Bytes, exact; all but `available` the same on every machine. */
export interface PlannedMemory {
  /** Needed during a run alone: programs of one device share them. */
  readonly arena: number;
  /** Most bytes that the arena could have had; Infinity where the device does not say. */
  readonly available: number;
  /** Held as long as the program is loaded: constants, tables, hoisted values. Variables not counted. */
  readonly program: number;
  /** Equations whose operands or results are copied in every run, packed weights included; all others read and write in place. */
  readonly copies: readonly string[];
  /** The largest buffer and what the device allows one, where values lie in buffers of their own. */
  readonly buffer?: { readonly needed: number; readonly available: number };
}
export interface StepTiming {
  /** Kind of step. */
  readonly step: string;
  /** The primitive it comes from, or "group" for fused pointwise ones. */
  readonly name: string;
  /** Shapes, and what a group computes. */
  readonly about: string;
  /** Milliseconds, all runs together. */
  readonly ms: number;
}
