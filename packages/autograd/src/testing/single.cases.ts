// The cases of the primitives in float32, for devices that have no float64.
import {
  cast,
  type Dtype,
  type HostCall,
  type ParamsOf,
  type PrimitiveName,
  type Tensor,
  type TensorSpec,
} from "@orepa/tensor";
import { isSample, type OpCase, type OpSample } from "./op-case.ts";
import { opCases } from "./op-cases.ts";

/** float64 becomes float32, other dtypes stay. */
export const single = (t: Tensor): Tensor => (t.dtype === "float64" ? cast(t, "float32") : t);
const names = Object.keys(opCases) as PrimitiveName[];
/** The case in float32. */
const toSingle = (c: OpSample<ParamsOf<"slice">>) => {
  const { dtype, outputs } = c.params as { dtype?: Dtype; outputs?: readonly TensorSpec[] };
  return {
    ...c,
    inputs: c.inputs.map(single),
    params: {
      ...c.params,
      ...(dtype === "float64" && { dtype: "float32" }),
      ...(outputs && singleCall(c.params as unknown as HostCall)),
    },
  };
};
/** The same function, with results rounded. */
const singleCall = ({ fn, outputs }: HostCall): HostCall => ({
  fn: (...inputs) => fn(...inputs).map(single),
  outputs: outputs.map(({ shape, dtype }) => ({ shape, dtype: dtype === "float64" ? "float32" : dtype })),
});
/** Every case of every primitive that is a sample. */
export const singleSamples = names.flatMap((name) =>
  (opCases[name] as readonly OpCase<"slice">[]).flatMap((c) =>
    isSample(c) ? [{ name, about: c.about, c: toSingle(c) }] : [],
  ),
);
