// Dense convolutions and their weight gradient as steps.
import {
  type DenseStep as Dense,
  runDense as runBlocks,
  runWeight,
  type WeightStep,
  wholeWeight,
} from "../conv/dense.ts";
import { countOf } from "../conv/positions.ts";
import { type Machine, share } from "./machine.ts";

export interface DenseStep {
  readonly op: "dense";
  readonly conv: Dense;
}
export interface DenseWeightStep {
  readonly op: "denseWeight";
  readonly conv: WeightStep;
}

/** Threads share the pixels of all images. */
export function runDense({ conv }: DenseStep, machine: Machine): void {
  const [first, end] = share(countOf(conv.positions), machine);
  runBlocks(machine.kernels, conv, { scratch: machine.scratch, first, end });
}

/** Threads share the longer side of the result, so nothing is added up between them. */
export function runDenseWeight({ conv }: DenseWeightStep, machine: Machine): void {
  const whole = wholeWeight(conv);
  const byRows = whole.fourEnd >= whole.panelEnd;
  const [from, to] = share(byRows ? whole.fourEnd : whole.panelEnd, machine);
  const part = byRows ? { four: from, fourEnd: to } : { panel: from, panelEnd: to };
  runWeight(machine.kernels, machine.floats, conv, { ...whole, ...part, scratch: machine.scratch });
}
