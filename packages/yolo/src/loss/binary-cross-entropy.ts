// Binary cross entropy of logits, accurate for small losses too, with its gradient in closed form.
import { customVjp } from "@orepa/autograd";
import { abs, add, exp, log1p, maximum, mul, neg, sigmoid, sub, type Tensor } from "@orepa/tensor";

/**
 * max(x, 0) - x t + log(1 + e^-|x|), elementwise, for logits x and targets t in [0, 1]; its gradient is sigmoid(x) - t.
 *
 * Most anchors of a fresh detector have a loss near 1e-5, where a float32 1 + e^-|x| keeps two digits: the logarithm is
 * therefore corrected for the rounding of its argument.
 */
export const binaryCrossEntropy: (logits: Tensor, targets: Tensor) => Tensor = customVjp(
  (x: Tensor, t: Tensor) => add(sub(maximum(x, 0), mul(x, t)), log1p(exp(neg(abs(x))))),
  ({ inputs: [x, t], cotangents: [ct] }) => [mul(ct!, sub(sigmoid(x), t)), neg(mul(ct!, x))],
);
