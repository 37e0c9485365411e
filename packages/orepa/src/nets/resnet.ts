// Residual networks whose convolutions are blocks of one's choice: ResNet (He et al. 2016, arXiv 1512.03385), ResNeXt
// (arXiv 1611.05431) and wide ones.
import { Linear, MaxPool2d, type Mode, type Module, ReLU } from "@orepa/autograd";
import { add, mean, relu, type Tensor } from "@orepa/tensor";
import { type BlockChoice, makeBlock } from "./choices.ts";

/** What a residual network is made of; see the makers below for the usual ones. */
export interface ResNetOptions {
  /** Blocks of each of the four stages. */
  readonly depths: readonly [number, number, number, number];
  /** Two 3x3 convolutions, or 1x1, 3x3 and 1x1 with four times the channels at the end. */
  readonly residual?: "basic" | "bottleneck";
  /** Channels over those of ResNet-18. */
  readonly width?: number;
  /** Groups of the 3x3 convolutions of bottlenecks, and channels of each in the first stage (ResNeXt: 32 of 4). */
  readonly groups?: number;
  readonly groupWidth?: number;
}

/** What every network of this package takes. */
export interface NetOptions {
  /** The blocks in the place of convolutions; plain ones if not given. */
  readonly block?: BlockChoice;
  readonly classes?: number;
  /** Channels of the pictures. */
  readonly inChannels?: number;
  /** For pictures of some 32 pixels: the stem is 3x3 without stride and pooling instead of 7x7 with both. */
  readonly small?: boolean;
}

const imageNetClasses = 1000;
const stageChannels = [64, 128, 256, 512] as const;
/** Output over inner channels of a bottleneck. */
const bottleneckExpansion = 4;
/** Settings of the norms: PyTorch's. */
const norm = { eps: 1e-5, momentum: 0.1 } as const;

const activation = new ReLU();

/** A residual block: relu(conv2(conv1(x)) + shortcut(x)). Its shortcut, where shapes differ, is always plain. */
class BasicBlock implements Module {
  readonly conv1: Module;
  readonly conv2: Module;
  readonly shortcut: Module | undefined;

  constructor(inChannels: number, channels: number, { stride, block }: { stride: number; block: BlockChoice }) {
    this.conv1 = makeBlock(block, inChannels, channels, { ...norm, stride, activation });
    this.conv2 = makeBlock(block, channels, channels, { ...norm, activation: false });
    this.shortcut = projection("plain", inChannels, channels, stride);
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const y = this.conv2.forward(this.conv1.forward(x, mode), mode);
    return relu(add(y, this.shortcut?.forward(x, mode) ?? x));
  }
}

/** A residual block through fewer channels; the stride is that of the 3x3. */
class Bottleneck implements Module {
  readonly conv1: Module;
  readonly conv2: Module;
  readonly conv3: Module;
  readonly shortcut: Module | undefined;

  constructor(
    inChannels: number,
    channels: number,
    options: { stride: number; block: BlockChoice; inner: number; groups: number },
  ) {
    const { stride, block, inner, groups } = options;
    this.conv1 = makeBlock(block, inChannels, inner, { ...norm, kernelSize: 1, activation });
    this.conv2 = makeBlock(block, inner, inner, { ...norm, stride, groups, activation });
    this.conv3 = makeBlock(block, inner, channels, { ...norm, kernelSize: 1, activation: false });
    this.shortcut = projection(block, inChannels, channels, stride);
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const y = this.conv3.forward(this.conv2.forward(this.conv1.forward(x, mode), mode), mode);
    return relu(add(y, this.shortcut?.forward(x, mode) ?? x));
  }
}

/** A 1x1 convolution where the shapes of a residual block's ends differ. */
const projection = (block: BlockChoice, inChannels: number, channels: number, stride: number): Module | undefined =>
  stride === 1 && inChannels === channels
    ? undefined
    : makeBlock(block, inChannels, channels, { ...norm, kernelSize: 1, stride, activation: false });

/** Pictures [N, inChannels, H, W] to scores [N, classes]. */
export class ResNet implements Module {
  readonly stem: Module;
  readonly pool: Module | undefined;
  readonly stages: readonly (readonly Module[])[];
  readonly linear: Linear;

  constructor(
    { depths, residual = "basic", width = 1, groups = 1, groupWidth = 64 }: ResNetOptions,
    { block = "plain", classes = imageNetClasses, inChannels = 3, small = false }: NetOptions = {},
  ) {
    const widths = stageChannels.map((channels) => Math.round(channels * width));
    const stem = small ? { kernelSize: 3, stride: 1 } : { kernelSize: 7, stride: 2 };
    this.stem = makeBlock(block, inChannels, widths[0]!, { ...norm, ...stem, activation });
    this.pool = small ? undefined : new MaxPool2d(3, { stride: 2, padding: 1 });
    let last = widths[0]!;
    this.stages = depths.map((depth, stage) =>
      Array.from({ length: depth }, (_, i) => {
        const stride = i === 0 && stage > 0 ? 2 : 1;
        const from = last;
        if (residual === "basic") {
          last = widths[stage]!;
          return new BasicBlock(from, last, { stride, block });
        }
        last = widths[stage]! * bottleneckExpansion;
        const inner = ((widths[stage]! * groupWidth) / stageChannels[0]) * groups;
        return new Bottleneck(from, last, { stride, block, inner, groups });
      }),
    );
    this.linear = new Linear(last, classes);
  }

  forward(x: Tensor, mode: Mode): Tensor {
    let y = this.stem.forward(x, mode);
    y = this.pool?.forward(y, mode) ?? y;
    for (const block of this.stages.flat()) y = block.forward(y, mode);
    return this.linear.forward(mean(y, [2, 3]));
  }
}

/** ResNet-18, 11.7 million parameters. */
export const resnet18 = (options?: NetOptions): ResNet => new ResNet({ depths: [2, 2, 2, 2] }, options);
/** ResNet-18 with `width` times the channels: 1.5 and 2 are usual. */
export const wideResnet18 = (width: number, options?: NetOptions): ResNet =>
  new ResNet({ depths: [2, 2, 2, 2], width }, options);
/** ResNet-34, 21.8 million parameters. */
export const resnet34 = (options?: NetOptions): ResNet => new ResNet({ depths: [3, 4, 6, 3] }, options);
/** ResNet-50, 25.6 million parameters. */
export const resnet50 = (options?: NetOptions): ResNet =>
  new ResNet({ depths: [3, 4, 6, 3], residual: "bottleneck" }, options);
/** ResNet-101, 44.5 million parameters. */
export const resnet101 = (options?: NetOptions): ResNet =>
  new ResNet({ depths: [3, 4, 23, 3], residual: "bottleneck" }, options);
/** ResNeXt-50 32x4d, 25.0 million parameters. */
export const resnext50 = (options?: NetOptions): ResNet =>
  new ResNet({ depths: [3, 4, 6, 3], residual: "bottleneck", groups: 32, groupWidth: 4 }, options);
