// A fused pointwise group over loops of any strides.
import type { Machine } from "./machine.ts";

export interface PointwiseStep {
  readonly op: "pointwise";
  /** Name of the fused kernel. */
  readonly kernel: string;
  readonly scalars: readonly number[];
  /** Turns of the loops, outermost first; at least three: rows, pixels and the innermost one come last. */
  readonly loops: readonly number[];
  /** Operands, then stores: byte address of the first element, bytes per turn of each loop. */
  readonly accesses: readonly { readonly address: number; readonly strides: readonly number[] }[];
  /** Byte addresses of partial sums [units][inner]. */
  readonly sums: readonly number[];
  /** Into how many pieces the pixels (all loops but the innermost) are cut. Fixed by the shape, so that sums do not depend on threads. */
  readonly units: number;
  /** Pixels of one kernel call at most: what is read and written stays in cache. */
  readonly block: number;
}

export function runPointwise(_step: PointwiseStep, _machine: Machine): void {}
