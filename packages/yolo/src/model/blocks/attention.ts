// Position-sensitive attention: self-attention over all pixels plus a depthwise convolution of the values.

import type { Mode, Module } from "@orepa/autograd";
import { add, matmul, mul, reshape, softmax, split, type Tensor, transpose } from "@orepa/tensor";
import { Conv } from "./conv.ts";
import { forwardAll } from "./sequence.ts";

/** Options of `Attention`; `ratio` is the channels of a key over those of a head. */
export interface AttentionOptions {
  readonly heads?: number;
  readonly ratio?: number;
  readonly fused?: boolean;
}

/** `proj(v softmax(q^T k / sqrt(key channels))^T + pe(v))`: [N, C, H, W] -> [N, C, H, W]; `heads` must divide C. */
export class Attention implements Module {
  readonly qkv: Conv;
  readonly proj: Conv;
  readonly pe: Conv;
  readonly heads: number;
  readonly keyChannels: number;
  readonly headChannels: number;

  constructor(channels: number, { heads = 8, ratio = 0.5, fused = false }: AttentionOptions = {}) {
    this.heads = heads;
    this.headChannels = Math.floor(channels / heads);
    this.keyChannels = Math.floor(this.headChannels * ratio);
    const linear = { activation: false, fused };
    this.qkv = new Conv(channels, channels + 2 * this.keyChannels * heads, linear);
    this.proj = new Conv(channels, channels, linear);
    this.pe = new Conv(channels, channels, { ...linear, kernelSize: 3, groups: channels });
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const { heads, keyChannels, headChannels } = this;
    const [N, , H, W] = x.shape as [number, number, number, number];
    const perHead = reshape(this.qkv.forward(x, mode), [N, heads, 2 * keyChannels + headChannels, H * W]);
    const [q, k, v] = split(perHead, [keyChannels, keyChannels, headChannels], 2) as [Tensor, Tensor, Tensor];
    const weights = softmax(mul(matmul(transpose(q, -2, -1), k), keyChannels ** -0.5), -1);
    const attended = reshape(matmul(v, transpose(weights, -2, -1)), x.shape);
    return this.proj.forward(add(attended, this.pe.forward(reshape(v, x.shape), mode)), mode);
  }
}

/** Options of `PSABlock`. */
export interface PsaBlockOptions extends AttentionOptions {
  readonly shortcut?: boolean;
}

/** Attention, then two 1x1 convolutions, each added to its input. */
export class PSABlock implements Module {
  readonly attn: Attention;
  readonly ffn: readonly Conv[];
  readonly shortcut: boolean;

  constructor(channels: number, { heads = 4, ratio = 0.5, shortcut = true, fused = false }: PsaBlockOptions = {}) {
    this.attn = new Attention(channels, { heads, ratio, fused });
    this.ffn = [
      new Conv(channels, 2 * channels, { fused }),
      new Conv(2 * channels, channels, { activation: false, fused }),
    ];
    this.shortcut = shortcut;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const attended = this.attn.forward(x, mode);
    const y = this.shortcut ? add(x, attended) : attended;
    const fed = forwardAll(this.ffn, y, mode);
    return this.shortcut ? add(y, fed) : fed;
  }
}
