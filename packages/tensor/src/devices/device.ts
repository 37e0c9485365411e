// What a device is: it takes an optimized program and runs it.
import type { Hoisted } from "../passes/hoist.ts";
import type { Concrete, Tensor } from "../tensor.ts";

export interface Device {
  load(program: Hoisted): Executable;
}
export interface Executable {
  /** One run: inputs in, Variables updated, outputs out. */
  run(inputs: readonly Concrete[]): Promise<readonly Tensor[]>;
  /** Gives back what the program holds. */
  dispose(): void;
}
