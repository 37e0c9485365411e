// Parameter groups: which parameters share a learning rate, and which of them decay.
import { BatchNorm2d } from "../nn/batch-norm.ts";
import { walkVariables } from "../nn/module.ts";
import { Parameter } from "../nn/parameter.ts";

/** Parameters that share a learning rate: group i takes entry i of the optimizer's `learningRates`. */
export interface ParameterGroup {
  readonly name: string;
  /** By state dict key. Frozen ones are counted here but never changed. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Whether weight decay acts on the group. */
  readonly decay: boolean;
}

/**
 * The three groups of the YOLO recipe, in its order: (0) every parameter whose key has "bias" in it, (1) all other weights, which
 * alone decay (the factors and vectors of re-parameterized convolutions too), (2) the weights of norms.
 */
export function groupParameters(model: object): readonly [ParameterGroup, ParameterGroup, ParameterGroup] {
  const bias = new Map<string, Parameter>();
  const weight = new Map<string, Parameter>();
  const norm = new Map<string, Parameter>();
  const seen = new Set<Parameter>();
  for (const { key, variable, owner } of walkVariables(model)) {
    if (!(variable instanceof Parameter) || seen.has(variable)) continue;
    seen.add(variable);
    const group = key.includes("bias") ? bias : owner instanceof BatchNorm2d ? norm : weight;
    group.set(key, variable);
  }
  return [
    { name: "bias", parameters: bias, decay: false },
    { name: "weight", parameters: weight, decay: true },
    { name: "norm", parameters: norm, decay: false },
  ];
}
