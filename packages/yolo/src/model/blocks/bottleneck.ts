// Two convolutions through fewer channels, added to the input where the shapes agree.

import type { Mode, Module } from "@orepa/autograd";
import { add, type Tensor } from "@orepa/tensor";
import { Conv } from "./conv.ts";

/** Options of `Bottleneck`; `expansion` is hidden channels over output channels. */
export interface BottleneckOptions {
  readonly shortcut?: boolean;
  readonly groups?: number;
  readonly kernels?: readonly [number, number];
  readonly expansion?: number;
  readonly fused?: boolean;
}

/** `x + cv2(cv1(x))`; without the sum if `shortcut` is false or the channels differ. [N, in, H, W] -> [N, out, H, W]. */
export class Bottleneck implements Module {
  readonly cv1: Conv;
  readonly cv2: Conv;
  readonly shortcut: boolean;

  constructor(inChannels: number, outChannels: number, options: BottleneckOptions = {}) {
    const { shortcut = true, groups = 1, kernels = [3, 3], expansion = 0.5, fused = false } = options;
    const hidden = Math.floor(outChannels * expansion);
    this.cv1 = new Conv(inChannels, hidden, { kernelSize: kernels[0], fused });
    this.cv2 = new Conv(hidden, outChannels, { kernelSize: kernels[1], groups, fused });
    this.shortcut = shortcut && inChannels === outChannels;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const y = this.cv2.forward(this.cv1.forward(x, mode), mode);
    return this.shortcut ? add(x, y) : y;
  }
}
