// Distribution focal decoding: the expected bin of a softmax over bins (Li et al. 2020, eq. 4).

import { Conv2d, type Mode, type Module, Parameter } from "@orepa/autograd";
import { arange, reshape, softmax, type Tensor, transpose } from "@orepa/tensor";

/** Expected value over bins 0..bins-1: [N, 4 * bins, A] logits (side major) -> [N, 4, A] distances in cells. */
export class DFL implements Module {
  /** The fixed weights 0..bins-1, a convolution so that they are in the state dict; never trained. */
  readonly conv: Conv2d;
  readonly bins: number;

  constructor(bins = 16) {
    this.bins = bins;
    this.conv = new BinValues(bins);
  }

  forward(x: Tensor, _mode: Mode): Tensor {
    const [N, , A] = x.shape as [number, number, number];
    const perSide = transpose(reshape(x, [N, 4, this.bins, A]), 1, 2);
    return reshape(this.conv.forward(softmax(perSide, 1)), [N, 4, A]);
  }
}

/** The 1x1 convolution that multiplies bin i by i. */
class BinValues extends Conv2d {
  override readonly weight: Parameter;

  constructor(bins: number) {
    super(bins, 1, 1, { bias: false });
    const values = reshape(arange(bins), [1, bins, 1, 1]);
    this.weight = new Parameter(values.shape, { kind: "values", values }, { trainable: false });
  }
}
