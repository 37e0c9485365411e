// Steps: what a plan is made of. Plain data, the same in every thread; one function runs each kind.
import type { Machine } from "./machine.ts";
import { type PointwiseStep, runPointwise } from "./pointwise.ts";

export type Step = PointwiseStep & {
  /** Done by the first thread alone: too small to share, or not to be shared. */
  readonly serial?: boolean;
};

/** Runs this thread's part of a step. */
export function runStep(step: Step, machine: Machine): void {
  switch (step.op) {
    case "pointwise":
      return runPointwise(step, machine);
  }
}
