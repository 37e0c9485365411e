// The closed table of kernels written in WGSL: what they do, gpu.js's kernels do as well, and do where there is none.
import type { EquationOf } from "../../../bind.ts";
import type { PrimitiveName } from "../../../primitives/table.ts";
import type { Builder } from "../builder.ts";
import type { Computation } from "../computation.ts";
import { convInput } from "./conv-input.ts";
import { convWeight } from "./conv-weight.ts";
import { conv2d } from "./conv2d.ts";
import { matmul } from "./matmul.ts";
import { amax, amin, sum } from "./reduce.ts";
import { varMean } from "./var-mean.ts";

/** Puts launches for an equation into the plan and returns true, or does nothing where gpu.js's kernel is as good. */
export type Tuned<N extends PrimitiveName> = (equation: EquationOf<N>, builder: Builder, input: Computation) => boolean;

export const overlay = { matmul, conv2d, convInput, convWeight, sum, amax, amin, varMean } satisfies {
  readonly [N in PrimitiveName]?: Tuned<N>;
};
