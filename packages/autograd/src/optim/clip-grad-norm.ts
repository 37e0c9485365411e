// Clipping of gradients to a global norm (Pascanu et al. 2013), as PyTorch's clip_grad_norm_.
import { add, div, minimum, mul, sqrt, square, sum, type Tensor } from "@orepa/tensor";
import type { Scalar } from "./scalar.ts";

/** Keeps the division defined for zero gradients; the value of PyTorch. */
const normEps = 1e-6;

/** All gradients times min(maxNorm / (norm + 1e-6), 1), and their norm before: the L2 norm over all of them together. */
export function clipGradNorm<K>(
  grads: ReadonlyMap<K, Tensor>,
  maxNorm: Scalar,
): { grads: Map<K, Tensor>; norm: Tensor } {
  const norm = sqrt([...grads.values()].map((g) => sum(square(g))).reduce((a, b) => add(a, b)));
  const factor = minimum(div(maxNorm, add(norm, normEps)), 1);
  return { grads: new Map([...grads].map(([key, g]) => [key, mul(g, factor)])), norm };
}
