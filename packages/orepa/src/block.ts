// Block: a list of branches with scales, norms and an activation, and the two ways to compute their sum.
import type { BatchNorm2d, Mergeable, Mode, Module } from "@orepa/autograd";
import { mul, reshape, type Tensor } from "@orepa/tensor";
import { addUp, type Branch } from "./branch.ts";
import type { Geometry } from "./geometry.ts";

/**
 * Where batch norms stand: after the sum (online: the branches merge into one kernel before the convolution), after each branch
 * (offline: branches run on feature maps and merge only at deployment), at both places, or nowhere.
 */
export type NormPlacement = "post" | "branch" | "both" | "none";

/** A block that is one plain convolution in eval mode. `merge` gives that convolution in float64, norms folded in. */
export interface LinearBlock extends Module, Mergeable {
  readonly geometry: Geometry;
  readonly branches: readonly Branch[];
  /** The scale of each branch, [O, 1, 1, 1] or [1, 1, 1, 1]; undefined where the block has none. */
  scales(): readonly (Tensor | undefined)[];
  /** The norm after the sum. */
  readonly bn: BatchNorm2d | undefined;
  /** The norms after the branches, one each; undefined for a branch without. */
  readonly norms: readonly (BatchNorm2d | undefined)[] | undefined;
  readonly act: Module;
  /** The squeezed kernel [O, I / groups, k, k]: the sum of the scaled branches before any norm. */
  kernel(): Tensor;
  /** The same block in float64 without its activation. Variables are copied, not shared. */
  linearCopy(): LinearBlock;
  /** One word for reports. */
  readonly kind: string;
}

/** Online: sum over branches of scale * kernel, [O, I / groups, k, k]. */
export const sumOfKernels = (block: Pick<LinearBlock, "branches" | "scales">): Tensor => {
  const scales = block.scales();
  return addUp(block.branches, (branch, i) => branch.kernel(scales[i]));
};

/** Offline: sum over branches of scale * branch(x), each through its norm if it has one; [N, O, H', W']. */
export const sumOfMaps = (block: Pick<LinearBlock, "branches" | "scales" | "norms">, x: Tensor, mode: Mode): Tensor =>
  addUp(block.branches, (_, i) => branchMap(block, i, x, mode));

/** One term of that sum. */
export function branchMap(
  block: Pick<LinearBlock, "branches" | "scales" | "norms">,
  i: number,
  x: Tensor,
  mode: Mode,
): Tensor {
  const scale = block.scales()[i];
  const map = block.branches[i]!.forward(x, mode);
  const y = scale ? mul(map, reshape(scale, [1, scale.shape[0]!, 1, 1])) : map;
  return block.norms?.[i]?.forward(y, mode) ?? y;
}
