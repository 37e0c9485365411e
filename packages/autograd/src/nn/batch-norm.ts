// Batch normalisation over N, H, W (Ioffe and Szegedy 2015), with running statistics for eval mode.
import { add, div, mul, OpError, ones, reshape, sqrt, sub, type Tensor, varMean, zeros } from "@orepa/tensor";
import type { Mode, Module } from "./module.ts";
import { Buffer, Parameter } from "./parameter.ts";

export interface BatchNorm2dOptions {
  readonly eps?: number;
  /** Weight of the new batch in the running statistics. */
  readonly momentum?: number;
}

/**
 * Batch norm of [N, C, H, W]. Train: statistics of the batch, biased variance, and the running statistics move by `momentum` towards
 * them (with the unbiased variance, as in PyTorch). Eval: running statistics. Defaults are YOLO11's; PyTorch's are 1e-5 and 0.1.
 */
export class BatchNorm2d implements Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly running_mean: Buffer;
  readonly running_var: Buffer;
  readonly num_batches_tracked: Buffer;
  readonly channels: number;
  readonly eps: number;
  readonly momentum: number;

  constructor(channels: number, { eps = 1e-3, momentum = 0.03 }: BatchNorm2dOptions = {}) {
    this.channels = channels;
    this.eps = eps;
    this.momentum = momentum;
    this.weight = new Parameter([channels], { kind: "constant", value: 1 });
    this.bias = new Parameter([channels], { kind: "constant", value: 0 });
    this.running_mean = new Buffer(zeros([channels]));
    this.running_var = new Buffer(ones([channels]));
    this.num_batches_tracked = new Buffer(zeros([], { dtype: "int32" }));
  }

  /** @throws OpError for another number of channels, and in train mode for one value per channel (its variance is 0 / 0). */
  forward(x: Tensor, mode: Mode): Tensor {
    if (x.rank !== 4 || x.shape[1] !== this.channels)
      throw new OpError("BatchNorm2d", `[N, ${this.channels}, H, W]`, `[${x.shape.join(", ")}]`);
    // Small tensors first: `a` and `b` have one value per channel, so a pixel costs two or three operations.
    const weight = this.#channelwise(this.weight.value);
    const bias = this.#channelwise(this.bias.value);
    if (mode === "train") {
      const [variance, mean] = this.#track(x);
      return add(mul(sub(x, mean), div(weight, sqrt(add(variance, this.eps)))), bias);
    }
    const a = div(weight, sqrt(add(this.#channelwise(this.running_var.value), this.eps)));
    return add(mul(x, a), sub(bias, mul(this.#channelwise(this.running_mean.value), a)));
  }

  /** Biased variance and mean of the batch, [1, C, 1, 1]; moves the running statistics. */
  #track(x: Tensor): [variance: Tensor, mean: Tensor] {
    const n = x.size / this.channels;
    if (n <= 1)
      throw new OpError("BatchNorm2d", "more than one value per channel in train mode", `[${x.shape.join(", ")}]`);
    const [variance, mean] = varMean(x, [0, 2, 3], { keepdim: true });
    const move = (running: Buffer, batch: Tensor): void =>
      running.assign(add(mul(running.value, 1 - this.momentum), mul(reshape(batch, [this.channels]), this.momentum)));
    move(this.running_mean, mean);
    move(this.running_var, mul(variance, n / (n - 1)));
    this.num_batches_tracked.assign(add(this.num_batches_tracked.value, 1));
    return [variance, mean];
  }

  #channelwise(v: Tensor): Tensor {
    return reshape(v, [1, this.channels, 1, 1]);
  }
}
