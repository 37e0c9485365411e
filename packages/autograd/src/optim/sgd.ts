// Stochastic gradient descent with momentum (Sutskever et al. 2013), step by step as PyTorch's SGD.
import { add, mul, sub, type Tensor, Variable, zerosLike } from "@orepa/tensor";
import { type Gradients, gradientOf, type Optimizer, trained } from "./optimizer.ts";
import type { ParameterGroup } from "./parameter-groups.ts";
import type { Scalar } from "./scalar.ts";

/** What may change from step to step; inside a compiled step, inputs of the program. */
export interface SgdHyper {
  /** One per parameter group. */
  readonly learningRates: readonly Scalar[];
  readonly momentum: Scalar;
  /** Acts on the groups that decay. */
  readonly weightDecay: Scalar;
}

/**
 * d = g + weightDecay p; m = momentum m + d; p = p - lr (nesterov ? d + momentum m : m). No dampening; m starts at 0.
 * State: `momentum_buffer.<key>`.
 *
 * @example
 * const model = new Linear(2, 1);
 * const sgd = createSgd(groupParameters(model), { nesterov: true });
 * const grads = grad(() => sum(model.forward(tensor([[1, 2]]))), parameters(model));
 * sgd.update(grads, { learningRates: [0.1, 0.1, 0.1], momentum: 0.9, weightDecay: 5e-4 });
 */
export function createSgd(
  groups: readonly ParameterGroup[],
  { nesterov = false }: { readonly nesterov?: boolean } = {},
): Optimizer<SgdHyper> {
  const entries = trained(groups);
  const buffers = new Map(entries.map(({ key, parameter }) => [key, new Variable(zerosLike(parameter.value))]));
  return {
    state: new Map([...buffers].map(([key, buffer]) => [`momentum_buffer.${key}`, buffer])),
    update(grads: Gradients, { learningRates, momentum, weightDecay }: SgdHyper): void {
      for (const { key, parameter, group, decay } of entries) {
        const p = parameter.value;
        const g = gradientOf(grads, key, parameter);
        const d = decay ? add(g, mul(p, weightDecay)) : g;
        const buffer = buffers.get(key)!;
        const m: Tensor = add(mul(buffer.value, momentum), d);
        buffer.assign(m);
        parameter.assign(sub(p, mul(nesterov ? add(d, mul(m, momentum)) : m, learningRates[group]!)));
      }
    },
  };
}
