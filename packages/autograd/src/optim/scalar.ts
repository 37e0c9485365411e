// Arithmetic on hyperparameters, which are numbers (frozen) or scalar tensors (inputs of a compiled step).
import { add, div, exp, greater, log, mul, neg, sub, type Tensor, where } from "@orepa/tensor";

/** A number, or a scalar tensor. In a compiled step a number is frozen: what changes from step to step must be a tensor. */
export type Scalar = Tensor | number;

/** a b */
export const product = (a: Scalar, b: Scalar): Scalar =>
  typeof a === "number" && typeof b === "number" ? a * b : mul(a, b);

/** 1 - x */
export const complement = (x: Scalar): Scalar => (typeof x === "number" ? 1 - x : sub(1, x));

/** Below this |z| the series is used; its relative error there is z^5 / 720 = 1e-9. */
const seriesLimit = 1 / 16;

/** 1 - beta^t without cancellation in float32: with z = t log(beta), -z (1 + z/2 (1 + z/3 (1 + z/4 (1 + z/5)))) for small z. */
export function oneMinusPower(beta: Scalar, t: Tensor): Tensor {
  const z = mul(t, typeof beta === "number" ? Math.log(beta) : log(beta));
  const series = [4, 3, 2].reduce((inner, n) => add(mul(div(z, n), inner), 1), add(div(z, 5), 1));
  return where(greater(z, -seriesLimit), mul(series, neg(z)), sub(1, exp(z)));
}
