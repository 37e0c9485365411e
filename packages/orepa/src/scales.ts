// Scales: what multiplies each branch of a sum, one row per branch.
import { Parameter } from "@orepa/autograd";
import { reshape, split, type Tensor, tensor } from "@orepa/tensor";

/** What multiplies each branch: a number per output channel, one number, or nothing. */
export type ScaleKind = "vector" | "scalar" | "none";

/** A trained scale per branch, [branches, O] or [branches, 1], its rows constant at first. */
export function scaleParameter(
  kind: Exclude<ScaleKind, "none">,
  first: readonly number[],
  outChannels: number,
): Parameter {
  const shape = [first.length, kind === "vector" ? outChannels : 1];
  const values = first.flatMap((v) => Array<number>(shape[1]!).fill(v));
  return new Parameter(shape, { kind: "values", values: tensor(values, { shape }) });
}

/** The rows of such a parameter's value, [O, 1, 1, 1] or [1, 1, 1, 1] each. */
export const scaleRows = (vector: Tensor): readonly Tensor[] =>
  split(vector, 1, 0).map((row) => reshape(row, [-1, 1, 1, 1]));
