// The whole detector as it trains and as it is deployed, with the blocks of each method.

import { parameterCount } from "@orepa/orepa";
import type { DeviceSpec } from "@orepa/tensor";
import { inferenceWorkload, trainingWorkload, type Workload } from "@orepa/yolo";
import { type Architecture, createModel } from "../models.ts";
import type { MethodName } from "./methods.ts";
import { inTurns } from "./turns.ts";

/** The result for one method; the names are those of the JSON. */
export interface ModelRow {
  readonly method: MethodName;
  /** Median of the rounds, and between which half of them lie. */
  readonly step_ms: number;
  readonly step_ms_quartiles: readonly [low: number, high: number];
  /** Bytes of the planned arena and of what the program holds; Variables come beside them. */
  readonly planned_bytes: number;
  readonly variable_bytes: number;
  readonly parameters: number;
  /** Milliseconds of inference once deployed, and its parameters. */
  readonly deployed_ms: number;
  readonly deployed_ms_quartiles: readonly [low: number, high: number];
  readonly deployed_parameters: number;
}

/** The rows of all methods: training steps in turns, then inference in turns. */
export async function studyModel(
  architectures: ReadonlyMap<MethodName, Architecture>,
  options: {
    readonly imgsz: number;
    readonly batch: number;
    readonly device: DeviceSpec;
    readonly repeats: number;
    readonly now: () => number;
    readonly onRound: (what: string, done: number, total: number) => void;
  },
): Promise<ModelRow[]> {
  const { onRound } = options;
  const timed = async (what: string, make: typeof trainingWorkload) => {
    const workloads = new Map<MethodName, Workload>();
    try {
      for (const [method, architecture] of architectures)
        workloads.set(method, make({ createModel: () => createModel(architecture), ...options }));
      const runs = new Map([...workloads].map(([method, workload]) => [method, () => workload.run()]));
      const times = await inTurns(runs, { ...options, onRound: (done, total) => onRound(what, done, total) });
      return { times, reports: new Map([...workloads].map(([method, workload]) => [method, workload.report()])) };
    } finally {
      for (const workload of workloads.values()) workload.dispose();
    }
  };
  const training = await timed("training steps", trainingWorkload);
  const inference = await timed("inference", inferenceWorkload);
  return [...architectures].map(([method, architecture]): ModelRow => {
    const { planned, peakBytes, variableBytes } = training.reports.get(method)!;
    return {
      method,
      step_ms: training.times.get(method)!.median,
      step_ms_quartiles: training.times.get(method)!.quartiles,
      planned_bytes: planned ? planned.arena + planned.program : peakBytes,
      variable_bytes: variableBytes,
      parameters: parameterCount(createModel(architecture)),
      deployed_ms: inference.times.get(method)!.median,
      deployed_ms_quartiles: inference.times.get(method)!.quartiles,
      deployed_parameters: parameterCount(createModel({ ...architecture, fused: true })),
    };
  });
}
