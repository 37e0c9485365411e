// Mask prototypes: a small decoder that doubles the size of its input.

import { ConvTranspose2d, type Mode, type Module } from "@orepa/autograd";
import type { Tensor } from "@orepa/tensor";
import { Conv } from "./conv.ts";
import { forwardAll } from "./sequence.ts";

/** Options of `Proto`; `hidden` channels, `masks` prototypes. */
export interface ProtoOptions {
  readonly hidden?: number;
  readonly masks?: number;
  readonly fused?: boolean;
}

/** [N, in, H, W] -> [N, masks, 2H, 2W]. */
export class Proto implements Module {
  readonly cv1: Conv;
  readonly upsample: ConvTranspose2d;
  readonly cv2: Conv;
  readonly cv3: Conv;

  constructor(inChannels: number, { hidden = 256, masks = 32, fused = false }: ProtoOptions = {}) {
    this.cv1 = new Conv(inChannels, hidden, { kernelSize: 3, fused });
    this.upsample = new ConvTranspose2d(hidden, hidden, 2, { stride: 2 });
    this.cv2 = new Conv(hidden, hidden, { kernelSize: 3, fused });
    this.cv3 = new Conv(hidden, masks, { fused });
  }

  forward(x: Tensor, mode: Mode): Tensor {
    return forwardAll([this.cv1, this.upsample, this.cv2, this.cv3], x, mode);
  }
}
