// Steps: what a plan is made of. Plain data, the same in every thread; one function runs each kind.
import { type BorderStep, runBorder } from "./border.ts";
import { type CombineStep, runCombine } from "./combine.ts";
import { type DenseStep, type DenseWeightStep, runDense, runDenseWeight } from "./dense.ts";
import { type DepthwiseStep, type DepthwiseWeightStep, runDepthwise, runDepthwiseWeight } from "./depthwise.ts";
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
import {
  runWinogradConv,
  runWinogradConvWeight,
  runWinogradPack,
  type WinogradConvStep,
  type WinogradConvWeightStep,
  type WinogradPackStep,
} from "./winograd.ts";

type AnyStep =
  | (PointwiseStep | CombineStep | BorderStep | DenseStep | DenseWeightStep | HostStep)
  | (ReduceStep | ReduceEndStep | CumsumStep | MaxPoolStep | MaxUnpoolStep | MaxGatherStep)
  | (DepthwiseStep | DepthwiseWeightStep)
  | (WinogradPackStep | WinogradConvStep | WinogradConvWeightStep)
  | (GatherStep | ScatterAddStep | ArgsortStep | PackStep | MatmulStep);

export type Step = AnyStep & {
  /** Done by the first thread alone: too small to share, or not to be shared. */
  readonly serial?: boolean;
};

/** How each kind runs; a forgotten one does not compile. */
const runners: { readonly [K in AnyStep["op"]]: (step: Extract<AnyStep, { op: K }>, machine: Machine) => void } = {
  pointwise: runPointwise,
  combine: runCombine,
  border: runBorder,
  dense: runDense,
  denseWeight: runDenseWeight,
  host: runHost,
  depthwise: runDepthwise,
  depthwiseWeight: runDepthwiseWeight,
  winogradPack: runWinogradPack,
  winogradConv: runWinogradConv,
  winogradConvWeight: runWinogradConvWeight,
  reduce: runReduce,
  reduceEnd: runReduceEnd,
  cumsum: runCumsum,
  maxPool: runMaxPool,
  maxUnpool: runMaxUnpool,
  maxGather: runMaxGather,
  gather: runGather,
  scatterAdd: runScatterAdd,
  argsort: runArgsort,
  pack: runPack,
  matmul: runMatmul,
};

/** Runs this thread's part of a step. */
export function runStep(step: Step, machine: Machine): void {
  const run = runners[step.op] as (step: AnyStep, machine: Machine) => void; // the runner of this kind
  run(step, machine);
}
