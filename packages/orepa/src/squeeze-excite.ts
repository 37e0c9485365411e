// SqueezeExcite: channels weighted by what the whole map says (Hu et al. 2018). Not linear, so it stands behind a block's norm.
import { Conv2d, Identity, type Mode, type Module } from "@orepa/autograd";
import { mean, mul, relu, sigmoid, type Tensor } from "@orepa/tensor";

/** Channels per hidden channel in RepVGG's blocks (arXiv 2101.03697, published code). */
const REDUCTION = 16;

/** act(x * sigmoid(up(relu(down(mean of x over H and W))))): an `activation` for blocks. */
export class SqueezeExcite implements Module {
  readonly down: Conv2d;
  readonly up: Conv2d;
  readonly act: Module;

  constructor(channels: number, { activation = new Identity() }: { readonly activation?: Module } = {}) {
    const hidden = Math.max(1, Math.floor(channels / REDUCTION));
    this.down = new Conv2d(channels, hidden, 1);
    this.up = new Conv2d(hidden, channels, 1);
    this.act = activation;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const weights = sigmoid(this.up.forward(relu(this.down.forward(mean(x, [2, 3], { keepdim: true })))));
    return this.act.forward(mul(x, weights), mode);
  }
}
