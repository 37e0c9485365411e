// What optimizers share: their shape, and how they meet parameters and gradients.
import { OpError, type Tensor, type Variable } from "@orepa/tensor";
import type { Parameter } from "../nn/parameter.ts";
import type { ParameterGroup } from "./parameter-groups.ts";

/** Gradients by Variable, as `valueAndGrad` returns them. */
export type Gradients = ReadonlyMap<Tensor | Variable, Tensor>;

/** An update rule with its state. `update` assigns parameters and state; it may run eagerly or inside a compiled step. */
export interface Optimizer<Hyper> {
  /** Variables by name, for checkpoints. */
  readonly state: ReadonlyMap<string, Variable>;
  /** @throws OpError if a trained parameter has no gradient. */
  update(grads: Gradients, hyper: Hyper): void;
}

/** A trained parameter and what its group says. */
export interface Entry {
  readonly key: string;
  readonly parameter: Parameter;
  /** Index of the group. */
  readonly group: number;
  readonly decay: boolean;
}

/** The parameters of all groups that are trained now; those frozen later keep their place. */
export const trained = (groups: readonly ParameterGroup[]): Entry[] =>
  groups.flatMap(({ parameters, decay }, group) =>
    [...parameters].flatMap(([key, parameter]) => (parameter.trainable ? [{ key, parameter, group, decay }] : [])),
  );

export function gradientOf(grads: Gradients, key: string, parameter: Parameter): Tensor {
  const gradient = grads.get(parameter);
  if (!gradient) throw new OpError("optimizer", `a gradient of ${key}`, "none", "freeze it with trainable = false");
  return gradient;
}
