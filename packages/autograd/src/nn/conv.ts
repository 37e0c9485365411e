// Convolution layers. Weights as in PyTorch: Conv2d [out, in/groups, kh, kw], ConvTranspose2d [in, out/groups, kh, kw].
import { conv2d, convTranspose2d, OpError, type Tensor } from "@orepa/tensor";
import type { Module } from "./module.ts";
import { type Init, Parameter } from "./parameter.ts";

/** One number for both image axes, or [height, width]. */
export type Pair = number | readonly [number, number];

export interface Conv2dOptions {
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly dilation?: Pair;
  readonly groups?: number;
  /** Whether a bias is added; true if not given. */
  readonly bias?: boolean;
}

export interface ConvTranspose2dOptions extends Conv2dOptions {
  readonly outputPadding?: Pair;
}

/**
 * 2-D convolution: [N, in, H, W] -> [N, out, H', W'], H' = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1.
 * First values: uniform, bound 1/sqrt(fan_in) (He et al. 2015 with a = sqrt(5), the default of PyTorch).
 *
 * @example
 * new Conv2d(3, 16, 3, { stride: 2, padding: 1 }).forward(zeros([1, 3, 64, 64])).shape; // -> [1, 16, 32, 32]
 */
export class Conv2d implements Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;

  /** @throws OpError if the groups do not divide both channel counts. */
  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: Conv2dOptions = {}) {
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = pair(kernelSize);
    this.stride = pair(options.stride ?? 1);
    this.padding = pair(options.padding ?? 0);
    this.dilation = pair(options.dilation ?? 1);
    this.groups = options.groups ?? 1;
    checkGroups("Conv2d", this);
    const shape = [outChannels, inChannels / this.groups, ...this.kernelSize];
    this.weight = new Parameter(shape, fanInUniform(shape));
    this.bias = (options.bias ?? true) ? new Parameter([outChannels], fanInUniform(shape)) : undefined;
  }

  forward(x: Tensor): Tensor {
    const { stride, padding, dilation, groups } = this;
    return conv2d(x, this.weight.value, { ...biasOption(this.bias), stride, padding, dilation, groups });
  }
}

/**
 * Transposed 2-D convolution, the adjoint of `Conv2d`: [N, in, H, W] -> [N, out, H', W'],
 * H' = (H - 1) stride - 2 padding + dilation (kh - 1) + outputPadding + 1. First values as PyTorch: fan_in = out/groups * kh * kw.
 */
export class ConvTranspose2d implements Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly outputPadding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;

  /** @throws OpError if the groups do not divide both channel counts. */
  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: ConvTranspose2dOptions = {}) {
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = pair(kernelSize);
    this.stride = pair(options.stride ?? 1);
    this.padding = pair(options.padding ?? 0);
    this.outputPadding = pair(options.outputPadding ?? 0);
    this.dilation = pair(options.dilation ?? 1);
    this.groups = options.groups ?? 1;
    checkGroups("ConvTranspose2d", this);
    const shape = [inChannels, outChannels / this.groups, ...this.kernelSize];
    this.weight = new Parameter(shape, fanInUniform(shape));
    this.bias = (options.bias ?? true) ? new Parameter([outChannels], fanInUniform(shape)) : undefined;
  }

  forward(x: Tensor): Tensor {
    const { stride, padding, outputPadding, dilation, groups } = this;
    const options = { ...biasOption(this.bias), stride, padding, outputPadding, dilation, groups };
    return convTranspose2d(x, this.weight.value, options);
  }
}

/** Uniform with bound 1/sqrt(fan_in), fan_in = product of all axes of the weight but the first. */
export function fanInUniform(weightShape: readonly number[]): Init {
  return { kind: "uniform", bound: 1 / Math.sqrt(weightShape.slice(1).reduce((a, b) => a * b, 1)) };
}

const pair = (value: Pair): readonly [number, number] => (typeof value === "number" ? [value, value] : value);

const biasOption = (bias: Parameter | undefined): { bias?: Tensor } => (bias ? { bias: bias.value } : {});

function checkGroups(layer: string, c: { inChannels: number; outChannels: number; groups: number }): void {
  if (c.inChannels % c.groups !== 0 || c.outChannels % c.groups !== 0)
    throw new OpError(layer, `groups dividing ${c.inChannels} and ${c.outChannels} channels`, String(c.groups));
}
