// AdamW (Loshchilov and Hutter 2019), step by step as PyTorch's AdamW without amsgrad.
import { add, div, mul, sqrt, square, sub, Variable, zeros, zerosLike } from "@orepa/tensor";
import { type Gradients, gradientOf, type Optimizer, trained } from "./optimizer.ts";
import type { ParameterGroup } from "./parameter-groups.ts";
import { complement, oneMinusPower, product, type Scalar } from "./scalar.ts";

/** What may change from step to step; inside a compiled step, inputs of the program. */
export interface AdamwHyper {
  /** One per parameter group. */
  readonly learningRates: readonly Scalar[];
  readonly beta1: Scalar;
  /** Acts on the groups that decay. */
  readonly weightDecay: Scalar;
}

/**
 * p = p (1 - lr weightDecay); m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * p = p - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps).
 * State: `exp_avg.<key>`, `exp_avg_sq.<key>` and one `step` (t) for all.
 */
export function createAdamw(
  groups: readonly ParameterGroup[],
  { beta2 = 0.999, eps = 1e-8 }: { readonly beta2?: number; readonly eps?: number } = {},
): Optimizer<AdamwHyper> {
  const entries = trained(groups).map((entry) => ({
    ...entry,
    average: new Variable(zerosLike(entry.parameter.value)),
    averageSquare: new Variable(zerosLike(entry.parameter.value)),
  }));
  const step = new Variable(zeros([], { dtype: entries[0]?.parameter.dtype ?? "float32" }));
  return {
    state: new Map([
      ["step", step],
      ...entries.map(({ key, average }) => [`exp_avg.${key}`, average] as const),
      ...entries.map(({ key, averageSquare }) => [`exp_avg_sq.${key}`, averageSquare] as const),
    ]),
    update(grads: Gradients, { learningRates, beta1, weightDecay }: AdamwHyper): void {
      const t = add(step.value, 1);
      step.assign(t);
      const correction1 = oneMinusPower(beta1, t);
      const correction2 = sqrt(oneMinusPower(beta2, t));
      const rates = learningRates.map((lr) => div(lr, correction1));
      const decays = learningRates.map((lr) => product(lr, weightDecay));
      const fresh = complement(beta1);
      for (const { key, parameter, group, decay, average, averageSquare } of entries) {
        const g = gradientOf(grads, key, parameter);
        const p = parameter.value;
        const decayed = decay ? sub(p, mul(p, decays[group]!)) : p;
        const m = add(mul(average.value, beta1), mul(g, fresh));
        const v = add(mul(averageSquare.value, beta2), mul(square(g), 1 - beta2));
        average.assign(m);
        averageSquare.assign(v);
        parameter.assign(sub(decayed, div(mul(m, rates[group]!), add(div(sqrt(v), correction2), eps))));
      }
    },
  };
}
