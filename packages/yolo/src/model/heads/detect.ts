// The detection head: per level a box branch and a class branch, and the decoding of their maps into boxes.

import { Conv2d, type Mode, type Module, Parameter } from "@orepa/autograd";
import { add, concat, mul, reshape, sigmoid, split, sub, type Tensor } from "@orepa/tensor";
import { Conv, DWConv } from "../blocks/conv.ts";
import { forwardAll } from "../blocks/sequence.ts";
import { anchors } from "./anchors.ts";
import { DFL } from "./dfl.ts";

/** What the head gives: raw maps in both modes, boxes in eval mode. */
export interface DetectOutput {
  /** Per level [N, 64 + nc, h, w]: 4 sides x 16 bins of box logits (side major), then class logits. */
  readonly maps: readonly Tensor[];
  /** Eval mode only: [N, 4 + nc, A], centre x, centre y, width, height in pixels, then class probabilities. */
  readonly decoded: Tensor | undefined;
}

/** Options of `Detect`; `strides` are pixels per cell of each level. */
export interface DetectOptions {
  readonly strides: readonly number[];
  readonly fused?: boolean;
}

/** Bins of the distance distribution of each side. */
export const boxBins = 16;
const boxChannels = 4 * boxBins;
/** The start of the class bias assumes about this many objects in an image of this size. */
const objectsAtStart = 5;
const imageSizeAtStart = 640;
const boxBiasAtStart = 1;
const widestClassBranch = 100;

/** YOLO11's detection head over feature maps [N, channels[l], h, w] of rising stride. */
export class Detect {
  /** Box branches. */
  readonly cv2: readonly (readonly Module[])[];
  /** Class branches. */
  readonly cv3: readonly (readonly (Module | readonly Module[])[])[];
  readonly dfl: DFL;
  readonly nc: number;
  readonly strides: readonly number[];

  constructor(nc: number, channels: readonly number[], { strides, fused = false }: DetectOptions) {
    const narrowest = channels[0]!;
    const boxHidden = Math.max(boxBins, Math.floor(narrowest / 4), boxChannels);
    const classHidden = Math.max(narrowest, Math.min(nc, widestClassBranch));
    this.cv2 = channels.map((c) => [
      new Conv(c, boxHidden, { kernelSize: 3, fused }),
      new Conv(boxHidden, boxHidden, { kernelSize: 3, fused }),
      new BranchEnd(boxHidden, boxChannels, boxBiasAtStart),
    ]);
    this.cv3 = channels.map((c, level) => [
      [new DWConv(c, c, { kernelSize: 3, fused }), new Conv(c, classHidden, { fused })],
      [new DWConv(classHidden, classHidden, { kernelSize: 3, fused }), new Conv(classHidden, classHidden, { fused })],
      new BranchEnd(classHidden, nc, classBiasAtStart(nc, strides[level]!)),
    ]);
    this.dfl = new DFL(boxBins);
    this.nc = nc;
    this.strides = strides;
  }

  forward(features: readonly Tensor[], mode: Mode): DetectOutput {
    const maps = features.map((x, level) =>
      concat([forwardAll(this.cv2[level]!, x, mode), forwardAll(this.cv3[level]!.flat(), x, mode)], 1),
    );
    return { maps, decoded: mode === "eval" ? this.decode(maps) : undefined };
  }

  /** Boxes in pixels and class probabilities, [N, 4 + nc, A], from the raw maps. */
  decode(maps: readonly Tensor[]): Tensor {
    const { nc, strides } = this;
    const flat = maps.map((map) => reshape(map, [map.shape[0]!, boxChannels + nc, -1]));
    const [logits, classes] = split(concat(flat, 2), [boxChannels, nc], 1) as [Tensor, Tensor];
    const grid = anchors(
      maps.map(({ shape }) => [shape[2]!, shape[3]!]),
      strides,
      logits.dtype,
    );
    // distances left, top, right, bottom in cells
    const [before, after] = split(this.dfl.forward(logits, "eval"), [2, 2], 1) as [Tensor, Tensor];
    const centre = add(grid.points, mul(sub(after, before), 0.5));
    const boxes = mul(concat([centre, add(before, after)], 1), grid.strides);
    return concat([boxes, sigmoid(classes)], 1);
  }
}

/** The logit at which about five objects in an image of 640 pixels spread over all classes. */
const classBiasAtStart = (nc: number, stride: number): number =>
  Math.log(objectsAtStart / nc / (imageSizeAtStart / stride) ** 2);

/** The last convolution of a branch: 1x1 with a bias that starts at a given value. */
class BranchEnd extends Conv2d {
  override readonly bias: Parameter;

  constructor(inChannels: number, outChannels: number, biasAtStart: number) {
    super(inChannels, outChannels, 1);
    this.bias = new Parameter([outChannels], { kind: "constant", value: biasAtStart });
  }
}
