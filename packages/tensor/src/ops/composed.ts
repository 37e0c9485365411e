// Ops composed of others: they need no rule of their own and inherit their gradients.
import type { Tensor } from "../tensor.ts";
import {
  abs,
  add,
  detach,
  div,
  equal,
  exp,
  greater,
  log,
  maximum,
  mul,
  neg,
  type Operand,
  sigmoid,
  sub,
  where,
} from "./pointwise.ts";
import { amax, sum } from "./reduce.ts";
import { squeeze } from "./shape.ts";

/** x^2 */
export const square = (x: Tensor): Tensor => mul(x, x);
/** max(x, 0) with derivative 0 at 0, where maximum alone would give 1/2; NaN stays NaN. */
export const relu = (x: Tensor): Tensor => where(equal(maximum(x, 0), 0), 0, x);
/** x where positive, else slope x. */
export const leakyRelu = (x: Tensor, { slope = 0.01 }: { readonly slope?: number } = {}): Tensor =>
  where(greater(x, 0), x, mul(x, slope));
/** x sigmoid(x)  (Elfwing et al. 2018) */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));
/** tanh(x) = 2 sigmoid(2 x) - 1 */
export const tanh = (x: Tensor): Tensor => sub(mul(sigmoid(mul(x, 2)), 2), 1);
/** log(1 + x), accurate near 0: with w = 1 + x rounded, log(w) + (x - (w - 1)) / w  (the rounding of w, put back). */
export function log1p(x: Tensor): Tensor {
  const w = add(x, 1);
  return add(log(w), div(sub(x, sub(w, 1)), w));
}
/** log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), accurate for every x. */
export const softplus = (x: Tensor): Tensor => add(maximum(x, 0), log1p(exp(neg(abs(x)))));
/** x min(max(x + 3, 0), 6) / 6  (Howard et al. 2019) */
export const hardSwish = (x: Tensor): Tensor => mul(x, mul(clamp(add(x, 3), { min: 0, max: 6 }), 1 / 6));
/** 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))  (Hendrycks and Gimpel 2016, the tanh form) */
export const gelu = (x: Tensor): Tensor =>
  mul(x, sigmoid(mul(mul(x, add(mul(square(x), geluCubic), 1)), 2 * Math.sqrt(2 / Math.PI))));
const geluCubic = 0.044715;

/** x limited to [min, max]; at the limits the gradient is x's. NaN stays NaN. */
export function clamp(x: Tensor, { min, max }: { readonly min?: Operand; readonly max?: Operand }): Tensor {
  const low = min === undefined ? x : where(greater(min, x), min, x);
  return max === undefined ? low : where(greater(low, max), max, low);
}

/** e^x / sum(e^x) along an axis, shifted by the largest element so that nothing overflows. */
export function softmax(x: Tensor, dim = -1): Tensor {
  const e = exp(sub(x, detach(amax(x, dim, { keepdim: true }))));
  return div(e, sum(e, dim, { keepdim: true }));
}

/** log(sum(e^x)) along an axis, which goes away unless `keepdim`. */
export function logsumexp(x: Tensor, dim = -1, { keepdim = false }: { readonly keepdim?: boolean } = {}): Tensor {
  const top = detach(amax(x, dim, { keepdim: true }));
  const y = add(log(sum(exp(sub(x, top)), dim, { keepdim: true })), top);
  return keepdim ? y : squeeze(y, dim);
}

/** log(softmax(x)) along an axis. */
export const logSoftmax = (x: Tensor, dim = -1): Tensor => sub(x, logsumexp(x, dim, { keepdim: true }));
