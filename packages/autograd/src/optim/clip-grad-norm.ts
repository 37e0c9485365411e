// Clipping of gradients to a global norm (Pascanu et al. 2013), as PyTorch's clip_grad_norm_.
import { add, div, minimum, mul, showShape, sqrt, square, sum, type Tensor } from "@orepa/tensor";
import type { Scalar } from "./scalar.ts";

/** Keeps the division defined for zero gradients; the value of PyTorch. */
const normEps = 1e-6;

/** All gradients times min(maxNorm / (norm + 1e-6), 1), and their norm before: the L2 norm over all of them together. */
export function clipGradNorm<K>(
  grads: ReadonlyMap<K, Tensor>,
  maxNorm: Scalar,
): { grads: Map<K, Tensor>; norm: Tensor } {
  const norm = sqrt(total([...squaresByShape(grads.values()).values()].map((squares) => sum(squares))));
  const factor = minimum(div(maxNorm, add(norm, normEps)), 1);
  return { grads: new Map([...grads].map(([key, g]) => [key, mul(g, factor)])), norm };
}

/**
 * The sums, element by element, of the squares of all gradients of one shape: one sum per shape remains, instead of one per
 * gradient, and compiled programs add the squares while they read the gradients.
 */
function squaresByShape(grads: Iterable<Tensor>): ReadonlyMap<string, Tensor> {
  const sums = new Map<string, Tensor>();
  for (const g of grads) {
    const key = showShape(g.shape);
    const before = sums.get(key);
    sums.set(key, before ? add(before, square(g)) : square(g));
  }
  return sums;
}

const total = (terms: readonly Tensor[]): Tensor => terms.reduce((a, b) => add(a, b));
