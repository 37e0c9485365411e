// customL2: RepVGG's weight decay, of the merged kernel's centre and the rest of the 3x3 kernel (arXiv 2101.03697, published code).
import { add, detach, div, mul, OpError, reshape, sqrt, square, sub, sum, type Tensor } from "@orepa/tensor";
import { taken } from "./centred.ts";
import type { RepBlock } from "./rep-block.ts";

/**
 * With t = gamma / sigma of the norms of branches `dense` (K) and `1x1` (q), as constants, and c the centre of the window:
 *
 *     sum K^2 - sum K[c]^2 + sum (K[c] t_K + q t_q)^2 / (t_K^2 + t_q^2)
 *
 * A scalar, to be added to the loss times half the decay, in the place of decay of these branches. The identity branch is left out.
 * Beside a forward pass in the same loss it merges nothing again: both read one kernel, whose gradient goes back once.
 *
 * @throws OpError if the block has no such branches with norms.
 */
export function customL2(block: RepBlock): Tensor {
  const [dense, point] = ["dense", "1x1"].map((name) => {
    const i = block.branches.findIndex((branch) => branch.name === name);
    const norm = block.norms?.[i];
    if (!norm) throw new OpError("customL2", `a branch ${name} with a norm of its own`, `a ${block.kind} block`);
    const t = div(norm.weight.value, sqrt(add(norm.running_var.value, norm.eps)));
    return { kernel: block.branches[i]!.kernel(), t: reshape(detach(t), [-1, 1, 1, 1]) };
  }) as [Term, Term];
  const [denseCentre, pointCentre] = [dense, point].map(({ kernel }) => taken(kernel, [1, 1])) as [Tensor, Tensor];
  const merged = add(mul(denseCentre, dense.t), mul(pointCentre, point.t));
  const shrunk = div(square(merged), add(square(dense.t), square(point.t)));
  return add(sub(sum(square(dense.kernel)), sum(square(denseCentre))), sum(shrunk));
}

interface Term {
  readonly kernel: Tensor;
  readonly t: Tensor;
}
