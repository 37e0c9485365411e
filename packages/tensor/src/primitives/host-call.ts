// hostCall: a TypeScript function on concrete data in the middle of a program.
import { OpError } from "../errors.ts";
import { sameShape, showShape } from "../shape.ts";
import type { Concrete, Tensor, TensorSpec } from "../tensor.ts";
import { primitive } from "./primitive.ts";

export interface HostCall {
  readonly fn: (...inputs: Concrete[]) => readonly Tensor[];
  readonly outputs: readonly TensorSpec[];
}

export const hostCall = primitive<HostCall>({
  doc: "a TypeScript function on concrete data; declared output shapes, no gradient",
  kind: "host",
  infer: (_, { outputs }) => outputs,
  evaluate: (inputs, { fn }, outputs) => {
    const results = fn(...inputs);
    const text = (list: readonly TensorSpec[]) => list.map((t) => `${showShape(t.shape)} ${t.dtype}`).join(", ");
    if (
      results.length !== outputs.length ||
      results.some((r, i) => !sameShape(r.shape, outputs[i]!.shape) || r.dtype !== outputs[i]!.dtype)
    )
      throw new OpError("hostCall", `the declared outputs ${text(outputs)}`, text(results));
    return [...results];
  },
});
