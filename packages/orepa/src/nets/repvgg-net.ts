// RepVGG networks (Ding et al. 2021, arXiv 2101.03697): plain stacks of 3x3 convolutions once their blocks are deployed.
import { Linear, type Mode, type Module, ReLU } from "@orepa/autograd";
import { mean, type Tensor } from "@orepa/tensor";
import { makeBlock } from "./choices.ts";
import type { NetOptions } from "./resnet.ts";

/** Blocks and channels of RepVGG's sizes: blocks of each stage, and channels over 64, 128, 256, 512. */
const sizes = {
  A0: { depths: [2, 4, 14, 1], widths: [0.75, 0.75, 0.75, 2.5] },
  A1: { depths: [2, 4, 14, 1], widths: [1, 1, 1, 2.5] },
  A2: { depths: [2, 4, 14, 1], widths: [1.5, 1.5, 1.5, 2.75] },
} as const;

/** The sizes that `repvgg` knows. */
export type RepVggSize = keyof typeof sizes;

const stageChannels = [64, 128, 256, 512] as const;
const imageNetClasses = 1000;
const norm = { eps: 1e-5, momentum: 0.1 } as const;
const activation = new ReLU();

/** Pictures [N, inChannels, H, W] to scores [N, classes]: a stem and four stages, each with stride 2 at its first block. */
class RepVggNet implements Module {
  readonly stem: Module;
  readonly stages: readonly (readonly Module[])[];
  readonly linear: Linear;

  constructor(
    { depths, widths }: (typeof sizes)[RepVggSize],
    { block = "repvgg", classes = imageNetClasses, inChannels = 3, small = false }: NetOptions,
  ) {
    const make = (from: number, to: number, stride: number): Module =>
      makeBlock(block, from, to, { ...norm, stride, activation });
    let last = Math.min(stageChannels[0], Math.round(stageChannels[0] * widths[0]));
    this.stem = make(inChannels, last, small ? 1 : 2);
    this.stages = depths.map((depth, stage) =>
      Array.from({ length: depth }, (_, i) => {
        const from = last;
        last = Math.round(stageChannels[stage]! * widths[stage]!);
        return make(from, last, i === 0 ? 2 : 1);
      }),
    );
    this.linear = new Linear(last, classes);
  }

  forward(x: Tensor, mode: Mode): Tensor {
    let y = this.stem.forward(x, mode);
    for (const block of this.stages.flat()) y = block.forward(y, mode);
    return this.linear.forward(mean(y, [2, 3]));
  }
}

/** RepVGG A0, A1 or A2, of RepVGG blocks if no others are asked for; 8.3, 12.8 and 25.5 million parameters deployed. */
export const repvgg = (size: RepVggSize, options: NetOptions = {}): Module => new RepVggNet(sizes[size], options);
