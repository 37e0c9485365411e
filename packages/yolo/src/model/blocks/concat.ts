// Joins the outputs of several layers.

import type { Mode } from "@orepa/autograd";
import { concat, type Tensor } from "@orepa/tensor";

/** A layer with several inputs. */
export interface ManyInputModule {
  forward(inputs: readonly Tensor[], mode: Mode): Tensor;
}

/** Concatenation along `dim`: [N, C1, H, W], [N, C2, H, W], ... -> [N, C1 + C2 + ..., H, W] for dim 1. */
export class Concat implements ManyInputModule {
  readonly dim: number;

  constructor(dim = 1) {
    this.dim = dim;
  }

  forward(inputs: readonly Tensor[], _mode: Mode): Tensor {
    return concat([...inputs], this.dim);
  }
}
