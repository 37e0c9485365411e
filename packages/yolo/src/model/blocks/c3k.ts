// Three 1x1 convolutions around a chain of bottlenecks.

import type { Mode, Module } from "@orepa/autograd";
import { concat, type Tensor } from "@orepa/tensor";
import { Bottleneck } from "./bottleneck.ts";
import { Conv } from "./conv.ts";
import { forwardAll, repeat } from "./sequence.ts";

/** Options of `C3k`; `kernelSize` is that of the bottlenecks. */
export interface C3kOptions {
  readonly repeats?: number;
  readonly shortcut?: boolean;
  readonly groups?: number;
  readonly expansion?: number;
  readonly kernelSize?: number;
  readonly fused?: boolean;
}

/** `cv3([m(cv1(x)), cv2(x)])`: [N, in, H, W] -> [N, out, H, W]. */
export class C3k implements Module {
  readonly cv1: Conv;
  readonly cv2: Conv;
  readonly cv3: Conv;
  readonly m: readonly Bottleneck[];

  constructor(inChannels: number, outChannels: number, options: C3kOptions = {}) {
    const { repeats = 1, shortcut = true, groups = 1, expansion = 0.5, kernelSize = 3, fused = false } = options;
    const hidden = Math.floor(outChannels * expansion);
    const bottleneck = { shortcut, groups, kernels: [kernelSize, kernelSize], expansion: 1, fused } as const;
    this.cv1 = new Conv(inChannels, hidden, { fused });
    this.cv2 = new Conv(inChannels, hidden, { fused });
    this.cv3 = new Conv(2 * hidden, outChannels, { fused });
    this.m = repeat(repeats, () => new Bottleneck(hidden, hidden, bottleneck));
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const deep = forwardAll(this.m, this.cv1.forward(x, mode), mode);
    return this.cv3.forward(concat([deep, this.cv2.forward(x, mode)], 1), mode);
  }
}
