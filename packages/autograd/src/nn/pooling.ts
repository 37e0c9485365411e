// Layers that change the resolution or the shape and hold no state.
import { avgPool2d, flatten, maxPool2d, type Tensor, upsample } from "@orepa/tensor";
import type { Pair } from "./conv.ts";
import type { Module } from "./module.ts";

export interface Pool2dOptions {
  /** The kernel size if not given. */
  readonly stride?: Pair;
  readonly padding?: Pair;
}

/** Maximum over windows of [N, C, H, W]; the padding never wins. */
export class MaxPool2d implements Module {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;

  constructor(kernelSize: Pair, { stride = kernelSize, padding = 0 }: Pool2dOptions = {}) {
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = padding;
  }

  forward(x: Tensor): Tensor {
    const { kernelSize, stride, padding } = this;
    return maxPool2d(x, { kernelSize, stride, padding });
  }
}

/** Mean over windows of [N, C, H, W]; padding counts as zeros, as in PyTorch. */
export class AvgPool2d implements Module {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;

  constructor(kernelSize: Pair, { stride = kernelSize, padding = 0 }: Pool2dOptions = {}) {
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = padding;
  }

  forward(x: Tensor): Tensor {
    const { kernelSize, stride, padding } = this;
    return avgPool2d(x, { kernelSize, stride, padding });
  }
}

/** Enlarges [N, C, H, W] by a whole factor, by repetition or by bilinear interpolation. */
export class Upsample implements Module {
  readonly scale: number;
  readonly mode: "nearest" | "bilinear";

  constructor(scale: number, mode: "nearest" | "bilinear" = "nearest") {
    this.scale = scale;
    this.mode = mode;
  }

  forward(x: Tensor): Tensor {
    const { scale, mode } = this;
    return upsample(x, { scale, mode });
  }
}

/** Joins the axes from `start` to `end` (inclusive): by default [N, ...] -> [N, rest]. */
export class Flatten implements Module {
  readonly start: number;
  readonly end: number;

  constructor(start = 1, end = -1) {
    this.start = start;
    this.end = end;
  }

  forward(x: Tensor): Tensor {
    return flatten(x, this.start, this.end);
  }
}
