// The plain block of a network: convolution without bias, batch norm, activation.
import {
  BatchNorm2d,
  type BatchNorm2dOptions,
  Conv2d,
  foldBatchNorm,
  Identity,
  type Mergeable,
  type Mode,
  type Module,
} from "@orepa/autograd";
import type { Tensor } from "@orepa/tensor";
import type { ConvNorm } from "../model/replace.ts";

/** What a network asks of a block in the place of a convolution. The padding keeps the size at stride 1. */
export interface BlockOptions extends BatchNorm2dOptions {
  /** Odd; 3 if not given. */
  readonly kernelSize?: number;
  readonly stride?: number;
  readonly groups?: number;
  /** A module, or false for none. */
  readonly activation: Module | false;
}

const sharedIdentity = new Identity();

/** `act(norm(conv(x)))`: [N, I, H, W] to [N, O, H / stride, W / stride]. The state dict has `conv.weight` and `bn.*`. */
export class PlainBlock implements ConvNorm, Mergeable {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;
  readonly act: Module;

  constructor(inChannels: number, outChannels: number, options: BlockOptions) {
    const { kernelSize = 3, stride = 1, groups = 1, activation, ...norm } = options;
    const padding = Math.floor(kernelSize / 2);
    this.conv = new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, groups, bias: false });
    this.bn = new BatchNorm2d(outChannels, norm);
    this.act = activation || sharedIdentity;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    return this.act.forward(this.bn.forward(this.conv.forward(x), mode), mode);
  }

  merge(): { readonly weight: Tensor; readonly bias: Tensor } {
    return foldBatchNorm(this.conv.weight.value, undefined, this.bn);
  }
}
