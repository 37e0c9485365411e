// The online merge with its gradient in closed form: the sum of a block's kernels as one function with an adjoint of its own.
import { customVjp } from "@orepa/autograd";
import { add, sumTo, type Tensor } from "@orepa/tensor";
import type { LinearBlock } from "./block.ts";
import { addUp, type Branch } from "./branch.ts";

/**
 * The kernel of {@link sumOfKernels}, [O, I / groups, k, k], with the gradients that the branches give in closed form. Between the
 * factors and K nothing but K lives until the backward pass, where composed ops would keep several kernels' worth of values.
 * Branches without an adjoint have the gradients of their ops.
 */
export function mergedKernel(block: Pick<LinearBlock, "branches" | "scales">): Tensor {
  const scales = block.scales();
  const all = block.branches.map((branch, i) => ({ branch, scale: scales[i] }));
  const closed = all.filter(hasAdjoint);
  const composed = all.filter((one) => !hasAdjoint(one));
  const kernel = ({ branch, scale }: Scaled): Tensor => branch.kernel(scale);
  if (closed.length === 0) return addUp(composed, kernel);
  return composed.reduce((sum, one) => add(sum, kernel(one)), closedSum(closed));
}

interface Scaled<B extends Branch = Branch> {
  readonly branch: B;
  readonly scale: Tensor | undefined;
}
type Closed = Scaled<Branch & Required<Pick<Branch, "adjoint">>>;
const hasAdjoint = (one: Scaled): one is Closed => one.branch.adjoint !== undefined;

/** The function's inputs are, branch by branch, the scale (if there is one) and the values of the factors. */
function closedSum(branches: readonly Closed[]): Tensor {
  const parts = branches.map(({ branch, scale }) => ({ branch, scale, factors: branch.factors.map((f) => f.value) }));
  const merge = customVjp<readonly Tensor[], Tensor>(
    // A kernel reads its factors' values of this moment, which are the inputs.
    () => addUp(parts, ({ branch, scale }) => branch.kernel(scale)),
    ({ cotangents: [ct] }) =>
      parts.flatMap(({ branch, scale, factors }) => {
        const gradients = branch.adjoint({ ct: ct!, scale, factors });
        return [...(scale ? [sumTo(gradients.scale, scale.shape)] : []), ...gradients.factors];
      }),
  );
  return merge(...parts.flatMap(({ scale, factors }) => [...(scale ? [scale] : []), ...factors]));
}
