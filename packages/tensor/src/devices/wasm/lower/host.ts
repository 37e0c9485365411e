// hostCall: its inputs are made row-major, then the first thread reads them, calls the function and writes the results.
import type { EquationOf } from "../../../bind.ts";
import type { HostCall } from "../../../primitives/host-call.ts";
import type { TensorSpec } from "../../../tensor.ts";
import { addressOf } from "../plan/place.ts";
import type { Builder } from "./builder.ts";

/** A tensor that lies row-major in the memory. */
export interface Transfer {
  readonly address: number;
  readonly spec: TensorSpec;
}
/** A call, as the first thread makes it. */
export interface HostPlan {
  readonly params: HostCall;
  readonly inputs: readonly Transfer[];
  readonly outputs: readonly Transfer[];
}

export function lowerHostCall(e: EquationOf<"hostCall">, b: Builder): void {
  const inputs = e.inputs.map((t) => ({ spec: t, place: b.rowMajor(b.place(t)) }));
  const outputs = e.outputs.map((t) => ({ spec: t, place: b.scratch(t.shape) }));
  for (const [i, t] of e.outputs.entries()) b.define(t, outputs[i]!.place);
  const transfers = (list: typeof inputs): Transfer[] =>
    list.map(({ spec, place }) => ({ address: addressOf(place), spec: { shape: spec.shape, dtype: spec.dtype } }));
  const call = b.hostCall(() => ({ params: e.params, inputs: transfers(inputs), outputs: transfers(outputs) }));
  b.step(
    { reads: inputs.map(({ place }) => place.storage), writes: outputs.map(({ place }) => place.storage) },
    () => ({ op: "host", call, serial: true }),
  );
}
