// Steps: what a plan is made of. Plain data, the same in every thread; one function runs each kind.
import { type BorderStep, runBorder } from "./border.ts";
import { type CombineStep, runCombine } from "./combine.ts";
import { type ConvStep, type ConvWeightStep, runConv, runConvWeight } from "./conv.ts";
import {
  type ArgsortStep,
  type CumsumStep,
  type GatherStep,
  runArgsort,
  runCumsum,
  runGather,
  runScatterAdd,
  type ScatterAddStep,
} from "./gather.ts";
import { type HostStep, runHost } from "./host.ts";
import type { Machine } from "./machine.ts";
import { type MatmulStep, type PackStep, runMatmul, runPack } from "./matmul.ts";
import { type NaiveConvStep, runNaiveConv } from "./naive-conv.ts";
import { type PointwiseStep, runPointwise } from "./pointwise.ts";
import {
  type MaxGatherStep,
  type MaxPoolStep,
  type MaxUnpoolStep,
  runMaxGather,
  runMaxPool,
  runMaxUnpool,
} from "./pool.ts";
import { type ReduceEndStep, type ReduceStep, runReduce, runReduceEnd } from "./reduce.ts";

type AnyStep =
  | (PointwiseStep | CombineStep | BorderStep | ConvStep | ConvWeightStep | NaiveConvStep | HostStep)
  | (ReduceStep | ReduceEndStep | CumsumStep | MaxPoolStep | MaxUnpoolStep | MaxGatherStep)
  | (GatherStep | ScatterAddStep | ArgsortStep | PackStep | MatmulStep);

export type Step = AnyStep & {
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
    case "reduce":
      return runReduce(step, machine);
    case "reduceEnd":
      return runReduceEnd(step, machine);
    case "cumsum":
      return runCumsum(step, machine);
    case "maxPool":
      return runMaxPool(step, machine);
    case "maxUnpool":
      return runMaxUnpool(step, machine);
    case "maxGather":
      return runMaxGather(step, machine);
    case "gather":
      return runGather(step, machine);
    case "scatterAdd":
      return runScatterAdd(step, machine);
    case "argsort":
      return runArgsort(step, machine);
    case "pack":
      return runPack(step, machine);
    case "matmul":
      return runMatmul(step, machine);
  }
}
