// Spatial pyramid pooling: three chained max pools see ever larger surroundings at one size.

import { MaxPool2d, type Mode, type Module } from "@orepa/autograd";
import { concat, type Tensor } from "@orepa/tensor";
import { Conv } from "./conv.ts";

/** Options of `SPPF`. */
export interface SppfOptions {
  readonly kernelSize?: number;
  readonly fused?: boolean;
}

/** `cv2([y, p(y), p(p(y)), p(p(p(y)))])` with `y = cv1(x)`: [N, in, H, W] -> [N, out, H, W]. */
export class SPPF implements Module {
  readonly cv1: Conv;
  readonly cv2: Conv;
  readonly m: MaxPool2d;

  constructor(inChannels: number, outChannels: number, { kernelSize = 5, fused = false }: SppfOptions = {}) {
    const hidden = Math.floor(inChannels / 2);
    this.cv1 = new Conv(inChannels, hidden, { fused });
    this.cv2 = new Conv(4 * hidden, outChannels, { fused });
    this.m = new MaxPool2d(kernelSize, { stride: 1, padding: Math.floor(kernelSize / 2) });
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const levels = [this.cv1.forward(x, mode)];
    for (let i = 0; i < 3; i++) levels.push(this.m.forward(levels.at(-1)!));
    return this.cv2.forward(concat(levels, 1), mode);
  }
}
