// Merging for deployment: what a block offers that equals one plain convolution in eval mode, and the folding of its norm.
import { add, cast, div, mul, reshape, sqrt, sub, type Tensor } from "@orepa/tensor";
import type { BatchNorm2d } from "./batch-norm.ts";

/** A block that in eval mode is one plain convolution (its activation left out). */
export interface Mergeable {
  /** Kernel [out, in/groups, kh, kw] and bias [out] of that convolution, in float64, the norm folded in. */
  merge(): { readonly weight: Tensor; readonly bias: Tensor };
}

/** Whether a module offers `merge`. */
export const isMergeable = (module: object): module is Mergeable =>
  "merge" in module && typeof module.merge === "function";

/**
 * Folds a batch norm with its running statistics into the convolution before it, in float64:
 * a = gamma / sqrt(var + eps), W' = W a, b' = (b - mean) a + beta.
 * @param weight [out, in/groups, kh, kw]; first axis = channels of the norm
 */
export function foldBatchNorm(
  weight: Tensor,
  bias: Tensor | undefined,
  bn: BatchNorm2d,
): { readonly weight: Tensor; readonly bias: Tensor } {
  const [gamma, beta, mean, variance] = [bn.weight, bn.bias, bn.running_mean, bn.running_var].map((variable) =>
    cast(variable.value, "float64"),
  ) as [Tensor, Tensor, Tensor, Tensor];
  const a = div(gamma, sqrt(add(variance, bn.eps)));
  const perOutput = reshape(a, [bn.channels, ...weight.shape.slice(1).map(() => 1)]);
  const shifted = bias ? sub(cast(bias, "float64"), mean) : sub(0, mean);
  return { weight: mul(cast(weight, "float64"), perOutput), bias: add(mul(shifted, a), beta) };
}
