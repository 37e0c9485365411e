// Blocks that make their kernel of parameters in every pass: what callers of several passes need to have it made once, and its
// gradient taken back to the parameters once.
import { add, mul, sum, type Tensor } from "@orepa/tensor";
import { grad } from "../grad.ts";
import { namedModules } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** A block with a kernel that is merged before any picture is seen. */
export interface OnlineKernel {
  /** The merged kernel, of the parameters as they are now; undefined where nothing is merged. */
  onlineKernel(): Tensor | undefined;
  /** The parameters that matter through that kernel alone. */
  readonly onlineParameters: readonly Parameter[];
  /** Runs `fn` with `kernel` in the place of `onlineKernel()`. */
  withKernel<T>(kernel: Tensor, fn: () => T): T;
}

const hasOnlineKernel = (module: object): module is OnlineKernel => "onlineKernel" in module && "withKernel" in module;

/** Every block of the kind inside of a module, by its first path. */
export function onlineBlocks(root: object): Map<string, OnlineKernel> {
  const paths = new Map<OnlineKernel, string>();
  for (const [path, module] of namedModules(root))
    if (hasOnlineKernel(module) && !paths.has(module)) paths.set(module, path);
  return new Map([...paths].map(([block, path]) => [path, block]));
}

/** Runs `fn` with these kernels in the place of the blocks' own. */
export const withKernels = <T>(kernels: ReadonlyMap<OnlineKernel, Tensor>, fn: () => T): T =>
  [...kernels].reduce(
    (inner, [block, kernel]) =>
      () =>
        block.withKernel(kernel, inner),
    fn,
  )();

/** What gradients for the blocks' kernels mean for parameters: one way back through each merge. Zeros where no kernel depends on one. */
export function throughKernels(
  cotangents: ReadonlyMap<OnlineKernel, Tensor>,
  wrt: Iterable<Parameter>,
): Map<Parameter, Tensor> {
  const terms = () => [...cotangents].map(([block, ct]) => sum(mul(block.onlineKernel()!, ct)));
  return grad(() => terms().reduce((a, b) => add(a, b)), wrt);
}
