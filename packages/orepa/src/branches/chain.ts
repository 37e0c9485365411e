// Branch "chain": linear stages in a row, such as an expanded kernel or a deep stem.
import type { Mode, Parameter } from "@orepa/autograd";
import { add, conv2d, flip, OpError, type Tensor } from "@orepa/tensor";
import { type Branch, scaled } from "../branch.ts";
import { afterGain, compose, ofConstant } from "../compose.ts";
import { type Geometry, windowOptions } from "../geometry.ts";
import type { PaddedNorm } from "../padded-norm.ts";

/** One stage of a chain. */
export interface Stage {
  readonly branch: Branch;
  /** The window and channels of the stage; see `stageGeometries`. */
  readonly geometry: Geometry;
  /** A norm before the stage. */
  readonly norm?: PaddedNorm | undefined;
}

/**
 * K = K_n * ... * K_0, a convolution of kernels. Zeros are padded once, around x, not by each stage; so no stage needs more.
 * `mirrored`: every stage but the first acts as its mirror image (the deep stem of published checkpoints).
 */
export class ChainBranch implements Branch {
  readonly name: string;
  readonly #stages: readonly Stage[];
  readonly #mirrored: boolean;
  readonly #padding: number;

  /** @throws OpError if a norm stands before the padding: its border could not be merged. */
  constructor(
    { padding }: Geometry,
    {
      name = "chain",
      stages,
      mirrored = false,
    }: { readonly name?: string; readonly stages: readonly Stage[]; readonly mirrored?: boolean },
  ) {
    const normed = stages.findIndex(({ norm }) => norm);
    if (normed >= 0 && normed < paddedStage(stages.map(({ geometry }) => geometry)))
      throw new OpError(name, "norms at the first window or after it", `one before stage ${normed}`);
    this.name = name;
    this.#stages = stages;
    this.#mirrored = mirrored;
    this.#padding = padding;
    for (const [i, { branch, norm }] of stages.entries())
      Object.assign(this, { [`${i}`]: branch, ...(norm ? { [`norm${i}`]: norm } : {}) });
  }

  get factors(): readonly Parameter[] {
    return this.#stages.flatMap(({ branch, norm }) => [...(norm ? [norm.bias, norm.weight] : []), ...branch.factors]);
  }

  kernel(scale?: Tensor): Tensor {
    return scaled(this.#merged().kernel, scale);
  }

  get bias(): (() => Tensor) | undefined {
    return this.#stages.some(({ norm }) => norm) ? () => this.#merged().bias! : undefined;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    return this.#stages.reduce((map, { branch, geometry, norm }, i) => {
      const input = norm ? norm.padded(map, mode, i === paddedStage(this.#geometries()) ? this.#padding : 0) : map;
      if (i === 0 || !this.#mirrored) return branch.forward(input, mode);
      return conv2d(input, flip(branch.kernel(), [2, 3]), windowOptions(geometry));
    }, x);
  }

  /** Kernel and bias of the stages so far, stage by stage. */
  #merged(): { readonly kernel: Tensor; readonly bias: Tensor | undefined } {
    const mirrored = this.#mirrored;
    let [kernel, bias]: [Tensor | undefined, Tensor | undefined] = [undefined, undefined];
    for (const { branch, norm, geometry } of this.#stages) {
      const { groups } = geometry;
      const plain = branch.kernel();
      const folded = norm?.fold();
      const own = folded ? afterGain(plain, folded.gain, groups) : plain;
      const shift = folded && ofConstant(plain, folded.shift, groups);
      const before: Tensor | undefined = bias && ofConstant(own, bias, groups);
      kernel = kernel ? compose(own, kernel, { groups, mirrored }) : own;
      bias = shift && before ? add(shift, before) : (shift ?? before);
    }
    return { kernel: kernel!, bias };
  }

  #geometries(): readonly Geometry[] {
    return this.#stages.map(({ geometry }) => geometry);
  }
}

/** The stage whose input is padded: the first with a window. */
const paddedStage = (stages: readonly Pick<Geometry, "kernelSize">[]): number =>
  Math.max(
    0,
    stages.findIndex(({ kernelSize }) => kernelSize > 1),
  );

/**
 * The geometries of stages with these windows and widths (the last is the block's): all dilated, the first window padded unless a norm
 * does it, the last stage strided.
 * @throws OpError unless the windows add up to the block's.
 */
export function stageGeometries(
  op: string,
  g: Geometry,
  stages: readonly { readonly kernelSize: number; readonly width?: number | undefined; readonly norm?: boolean }[],
): readonly Geometry[] {
  const side = stages.reduce((sum, { kernelSize }) => sum + kernelSize - 1, 1);
  if (stages.length === 0 || side !== g.kernelSize)
    throw new OpError(
      op,
      `stages that make a window of ${g.kernelSize}`,
      `${stages.map(({ kernelSize }) => kernelSize).join(", ") || "none"}, which make ${side}`,
    );
  const padded = paddedStage(stages);
  let inChannels = g.inChannels;
  return stages.map(({ kernelSize, width = g.outChannels, norm = false }, i) => {
    const last = i === stages.length - 1;
    const outChannels = last ? g.outChannels : width;
    const stage = {
      ...g,
      inChannels,
      outChannels,
      kernelSize,
      stride: last ? g.stride : 1,
      padding: i === padded && !norm ? g.padding : 0,
    };
    if (outChannels % g.groups !== 0)
      throw new OpError(op, `groups that divide the width ${outChannels}`, `${g.groups} groups`);
    inChannels = outChannels;
    return stage;
  });
}
