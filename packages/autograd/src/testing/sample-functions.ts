// A sample of a primitive as functions of the inputs that are differentiated: what gradcheck and grad work on.
import { bind, concat, flatten, isFloating, type ParamsOf, type PrimitiveName, type Tensor } from "@orepa/tensor";
import type { OpSample } from "./op-case.ts";

/** Functions with the place where they are differentiated. */
export interface SampleFunctions {
  readonly x: readonly Tensor[];
  /** One function per float output, and, if there are several, one of all of them. */
  readonly functions: readonly ((...x: Tensor[]) => Tensor)[];
}

/** The float outputs of a primitive as functions of the sample's `gradients` inputs; the others stay as they are. */
export function sampleFunctions<N extends PrimitiveName>(name: N, sample: OpSample<ParamsOf<N>>): SampleFunctions {
  const { inputs, params, gradients } = sample;
  const outputs = (x: readonly Tensor[]): Tensor[] =>
    bind(
      name,
      inputs.map((input, i) => x[gradients.indexOf(i)] ?? input),
      params,
    ).filter((y) => isFloating(y.dtype));
  const x = gradients.map((i) => inputs[i]!);
  const single = outputs(x).map(
    (_, k) =>
      (...moved: Tensor[]) =>
        outputs(moved)[k]!,
  );
  const together = (...moved: Tensor[]) => concat(outputs(moved).map((y) => flatten(y)));
  return { x, functions: single.length > 1 ? [...single, together] : single };
}
