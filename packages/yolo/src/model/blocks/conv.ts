// The convolution block of YOLO11: convolution without bias, batch norm, SiLU. Fused, it is a convolution with bias and SiLU.

import {
  BatchNorm2d,
  Conv2d,
  foldBatchNorm,
  Identity,
  type Mergeable,
  type Mode,
  type Module,
  SiLU,
} from "@orepa/autograd";
import { cast, type Tensor } from "@orepa/tensor";

/** The batch norm settings of YOLO11. */
export const normSettings = { eps: 1e-3, momentum: 0.03 } as const;

/** One activation serves every block: it has no state, and a model's module count counts it once. */
const sharedActivation = new SiLU();

/** Options of `Conv`; `padding` defaults to the one that keeps the size at stride 1. */
export interface ConvOptions {
  readonly kernelSize?: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  readonly dilation?: number;
  /** true: SiLU; false: none; or any module. */
  readonly activation?: boolean | Module;
  /** The deployed form: no norm, but a bias. */
  readonly fused?: boolean;
}

/** `act(norm(conv(x)))`: [N, inChannels, H, W] -> [N, outChannels, H/stride, W/stride]. */
export class Conv implements Module, Mergeable {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d | undefined;
  readonly act: Module;

  constructor(inChannels: number, outChannels: number, options: ConvOptions = {}) {
    const { kernelSize = 1, stride = 1, groups = 1, dilation = 1, activation = true, fused = false } = options;
    const { padding = Math.floor((dilation * (kernelSize - 1)) / 2) } = options;
    this.conv = new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, dilation, groups, bias: fused });
    this.bn = fused ? undefined : new BatchNorm2d(outChannels, normSettings);
    this.act = activation === true ? sharedActivation : activation === false ? new Identity() : activation;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const y = this.conv.forward(x);
    return this.act.forward(this.bn ? this.bn.forward(y, mode) : y, mode);
  }

  /** The kernel and bias, in float64, of the plain convolution that equals conv and norm in eval mode. */
  merge(): { weight: Tensor; bias: Tensor } {
    const weight = this.conv.weight.value;
    const bias = this.conv.bias?.value;
    if (this.bn) return foldBatchNorm(weight, bias, this.bn);
    return { weight: cast(weight, "float64"), bias: cast(bias!, "float64") };
  }
}

/** A depthwise convolution block: groups is the greatest common divisor of the channels. */
export class DWConv extends Conv {
  constructor(inChannels: number, outChannels: number, options: Omit<ConvOptions, "groups"> = {}) {
    super(inChannels, outChannels, { ...options, groups: greatestCommonDivisor(inChannels, outChannels) });
  }
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));
