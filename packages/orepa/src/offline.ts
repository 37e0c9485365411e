// toOffline: a block computed the long way, every branch on feature maps. The oracle of the merge, and the baseline of its cost.
import type { Mode, Module } from "@orepa/autograd";
import type { Tensor } from "@orepa/tensor";
import { type LinearBlock, sumOfMaps } from "./block.ts";

/** The function of a block, branch by branch. */
export class OfflineBlock implements Module {
  readonly block: LinearBlock;

  constructor(block: LinearBlock) {
    this.block = block;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const { bn, act } = this.block;
    const y = sumOfMaps(this.block, x, mode);
    return act.forward(bn?.forward(y, mode) ?? y, mode);
  }
}

/**
 * The same function computed branch by branch: each branch runs on x [N, I, H, W] factor by factor, and the scaled results
 * are added before the norm. Equal to the block up to rounding, in eval and in train mode.
 *
 * Parameters and norms are the block's own, so gradients can be compared; in train mode each of the two moves the
 * running statistics.
 */
export const toOffline = (block: LinearBlock): OfflineBlock => new OfflineBlock(block);
