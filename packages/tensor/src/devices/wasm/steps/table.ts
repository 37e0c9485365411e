// Steps: what a plan is made of. Plain data, the same in every thread; one function runs each kind.
import { type BorderStep, runBorder } from "./border.ts";
import { type CombineStep, runCombine } from "./combine.ts";
import { type ConvStep, type ConvWeightStep, runConv, runConvWeight } from "./conv.ts";
import { type HostStep, runHost } from "./host.ts";
import type { Machine } from "./machine.ts";
import { type NaiveConvStep, runNaiveConv } from "./naive-conv.ts";
import { type PointwiseStep, runPointwise } from "./pointwise.ts";

export type Step = (PointwiseStep | CombineStep | BorderStep | ConvStep | ConvWeightStep | NaiveConvStep | HostStep) & {
  /** Done by the first thread alone: too small to share, or not to be shared. */
  readonly serial?: boolean;
};

/** Runs this thread's part of a step. */
export function runStep(step: Step, machine: Machine): void {
  switch (step.op) {
    case "pointwise":
      return runPointwise(step, machine);
    case "combine":
      return runCombine(step, machine);
    case "border":
      return runBorder(step, machine);
    case "conv":
      return runConv(step, machine);
    case "convWeight":
      return runConvWeight(step, machine);
    case "naiveConv":
      return runNaiveConv(step, machine);
    case "host":
      return runHost(step, machine);
  }
}
