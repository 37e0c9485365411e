// What a program costs: FLOPs and bytes per equation and planned peak memory, the same on every machine.
import type { Equation } from "../bind.ts";
import type { Executable, PlannedMemory, StepTiming } from "../devices/device.ts";
import { type Primitive, type PrimitiveName, primitives } from "../primitives/table.ts";
import type { Shape } from "../shape.ts";
import type { Hoisted } from "./hoist.ts";
import { bytes, peakBytes } from "./liveness.ts";

export interface EquationCost {
  readonly name: PrimitiveName;
  readonly inputs: readonly Shape[];
  readonly outputs: readonly Shape[];
  /** Floating-point operations, 2 per multiply-add. */
  readonly flops: number;
  /** Bytes read and written; 0 for views. */
  readonly bytes: number;
}
export interface Report {
  readonly equations: readonly EquationCost[];
  readonly flops: number;
  readonly bytes: number;
  /** Largest number of bytes of values alive at once; inputs and Variables not counted. */
  readonly peakBytes: number;
  /** Bytes of the Variables the program touches. */
  readonly variableBytes: number;
  /** Equations that run only after a Variable has changed. */
  readonly hoisted: readonly EquationCost[];
  /** What the device planned to take, where it plans. */
  readonly planned?: PlannedMemory;
  /** What the runs so far took, step by step, if the device was asked to take the time. */
  readonly timings?: readonly StepTiming[];
}

const total = (costs: readonly EquationCost[], key: "flops" | "bytes") => costs.reduce((n, c) => n + c[key], 0);

export function report({ before, program }: Hoisted, executable?: Executable): Report {
  const equations = program.equations.map(cost);
  return {
    equations,
    flops: total(equations, "flops"),
    bytes: total(equations, "bytes"),
    peakBytes: peakBytes(program),
    variableBytes: [...program.variables.values()].reduce((n, t) => n + bytes(t), 0),
    hoisted: before.map(cost),
    ...(executable?.memory && { planned: executable.memory }),
    ...(executable?.timings && { timings: executable.timings() }),
  };
}

function cost({ name, inputs, params, outputs }: Equation): EquationCost {
  // name and params come from one equation, so they fit together
  const primitive = primitives[name] as unknown as Primitive<unknown>;
  const pointwise = primitive.kind === "pointwise" ? outputs[0]!.size : 0;
  return {
    name,
    inputs: inputs.map((t) => t.shape),
    outputs: outputs.map((t) => t.shape),
    flops: primitive.flops?.(inputs, outputs, params) ?? pointwise,
    bytes: primitive.kind === "view" ? 0 : [...inputs, ...outputs].reduce((n, t) => n + bytes(t), 0),
  };
}
