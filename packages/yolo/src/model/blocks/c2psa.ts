// Attention on one half of the channels.

import type { Mode, Module } from "@orepa/autograd";
import { chunk, concat, type Tensor } from "@orepa/tensor";
import { UserError } from "../../errors.ts";
import { PSABlock } from "./attention.ts";
import { Conv } from "./conv.ts";
import { forwardAll, repeat } from "./sequence.ts";

/** Options of `C2PSA`. */
export interface C2psaOptions {
  readonly repeats?: number;
  readonly expansion?: number;
  readonly fused?: boolean;
}

/** Channels of one attention head. */
const channelsPerHead = 64;

/** `cv2([a, m(b)])` with `[a, b] = cv1(x)`: [N, C, H, W] -> [N, C, H, W]. Throws UserError if in and out differ. */
export class C2PSA implements Module {
  readonly cv1: Conv;
  readonly cv2: Conv;
  readonly m: readonly PSABlock[];

  constructor(inChannels: number, outChannels: number, options: C2psaOptions = {}) {
    const { repeats = 1, expansion = 0.5, fused = false } = options;
    const hidden = Math.floor(inChannels * expansion);
    const heads = Math.floor(hidden / channelsPerHead);
    if (inChannels !== outChannels)
      throw new UserError(`C2PSA: expected as many output as input channels, got ${inChannels} -> ${outChannels}`);
    if (heads < 1)
      throw new UserError(
        `C2PSA: expected at least ${channelsPerHead} hidden channels (one head), got ${hidden}; use a wider scale`,
      );
    this.cv1 = new Conv(inChannels, 2 * hidden, { fused });
    this.cv2 = new Conv(2 * hidden, inChannels, { fused });
    this.m = repeat(repeats, () => new PSABlock(hidden, { heads, ratio: 0.5, fused }));
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const [a, b] = chunk(this.cv1.forward(x, mode), 2, 1) as [Tensor, Tensor];
    return this.cv2.forward(concat([a, forwardAll(this.m, b, mode)], 1), mode);
  }
}
