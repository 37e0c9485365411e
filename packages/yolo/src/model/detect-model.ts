// A built detector: its layers in order and the way data takes through them.

import { type Mode, namedVariables } from "@orepa/autograd";
import type { Dtype, Tensor } from "@orepa/tensor";
import { UserError } from "../errors.ts";
import type { Detect, DetectOutput } from "./heads/detect.ts";
import type { BlockRegistry, BuiltBlock } from "./registry.ts";

/** What one layer is, for tables and for the walk through the model. */
export interface LayerInfo {
  readonly index: number;
  /** Inputs as written in the text: -1 is the layer before. */
  readonly from: number | readonly number[];
  /** Repeats, scaled by depth. */
  readonly repeats: number;
  readonly block: string;
  /** Arguments after scaling. */
  readonly args: readonly unknown[];
}

/** Everything needed to build the model again. */
export interface ModelSource {
  readonly text: string;
  readonly scale: string;
  readonly nc: number;
  readonly registry: BlockRegistry;
  readonly fused: boolean;
}

/** A detector. State dict keys are `model.<layer>.<...>`. */
export class DetectModel {
  /** The modules of the layers; the head is the last. */
  readonly model: readonly object[];
  readonly layers: readonly LayerInfo[];
  readonly source: ModelSource;
  /** Number of classes. */
  readonly nc: number;
  /** Pixels per cell of each map of the head. */
  readonly strides: readonly number[];
  /** Layers whose output is kept for a later one. */
  readonly save: readonly number[];
  readonly #body: readonly BuiltBlock["forward"][];
  readonly #head: Detect;

  constructor(layers: readonly LayerInfo[], blocks: readonly BuiltBlock[], head: Detect, source: ModelSource) {
    this.model = [...blocks.map((block) => block.module), head];
    this.layers = layers;
    this.source = source;
    this.nc = head.nc;
    this.strides = head.strides;
    this.save = [...new Set(layers.flatMap(distantInputs))].sort((a, b) => a - b);
    this.#body = blocks.map((block) => block.forward);
    this.#head = head;
  }

  /** The dtype of the weights, which images must have too. */
  get dtype(): Dtype {
    return [...namedVariables(this).values()][0]!.dtype;
  }

  /**
   * Raw maps, and in eval mode decoded boxes, of images [N, 3, H, W] with values 0..1. `onLayer` sees the output of every layer but
   * the head. @throws UserError unless H and W are multiples of the largest stride.
   */
  forward(images: Tensor, mode: Mode, onLayer?: (index: number, output: Tensor) => void): DetectOutput {
    checkImages(images, Math.max(...this.strides));
    const saved = new Map<number, Tensor>();
    let last = images;
    const inputs = (layer: LayerInfo): Tensor[] =>
      inputsOf(layer).map((input) => (input === layer.index - 1 ? last : saved.get(input)!));
    // The modules are those of the list as it is now: one may have been exchanged for another of the same function.
    this.#body.forEach((forward, index) => {
      last = forward(inputs(this.layers[index]!), mode, this.model[index]!);
      if (this.save.includes(index)) saved.set(index, last);
      onLayer?.(index, last);
    });
    return this.#head.forward(inputs(this.layers.at(-1)!), mode);
  }

  /** Boxes in pixels and class probabilities, [N, 4 + nc, A], in eval mode. */
  predict(images: Tensor): Tensor {
    return this.forward(images, "eval").decoded!;
  }
}

/** The layers that feed a layer, counted from the start; -1 is the image. */
export const inputsOf = ({ index, from }: Pick<LayerInfo, "index" | "from">): number[] =>
  [from].flat().map((input) => (input < 0 ? Math.max(index + input, -1) : input));

/** The inputs that are not written as "the layer before". */
const distantInputs = ({ index, from }: LayerInfo): number[] =>
  inputsOf({ index, from: [from].flat().filter((input) => input !== -1) });

function checkImages(images: Tensor, stride: number): void {
  const [, channels, height, width] = images.shape;
  if (images.shape.length !== 4 || channels !== 3 || height! % stride !== 0 || width! % stride !== 0)
    throw new UserError(
      `model: expected images [N, 3, H, W] with H and W multiples of ${stride}, got [${images.shape.join(", ")}]; letterbox them first`,
    );
}
