// Where a convolution writes, and what it does to its sums before.
import type { EquationOf } from "../../../bind.ts";
import { type Place, slicePlace } from "../plan/place.ts";
import type { Builder } from "./builder.ts";

export interface Output {
  readonly target: Place;
  /** O floats next to each other. */
  readonly bias: Place | undefined;
  readonly silu: boolean;
}

/** Takes the epilogue, if there is one: the caller must do it. */
export function outputOf(e: EquationOf<"conv2d"> | EquationOf<"convInput">, b: Builder): Output {
  const epilogue = b.takeEpilogue(e);
  if (!epilogue) return { target: b.result(e.outputs[0]!), bias: undefined, silu: false };
  const { output, silu } = epilogue;
  const bias = epilogue.bias && b.place(epilogue.bias);
  const one = (p: Place) => [0, 2, 3].reduce((q, axis) => slicePlace(q, axis, 0, 1), p);
  const packed = bias && b.derived(one(bias), "bias", () => b.rowMajor(one(bias)));
  return { target: b.result(output), bias: packed, silu };
}
