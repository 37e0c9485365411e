// The blocks that a network may be made of, by name: which kind stands for a convolution of which size.
import type { Module } from "@orepa/autograd";
import type { NormPlacement } from "../block.ts";
import { type BlockName, createBlock } from "../definitions.ts";
import { type BlockOptions, PlainBlock } from "./conv-norm.ts";

interface Choice {
  /** Blocks for windows between 1x1 and 7x7, for 1x1, and from 7x7; plain where there is none. */
  readonly window?: BlockName;
  readonly pointwise?: BlockName;
  readonly large?: BlockName;
  readonly norm?: NormPlacement;
}

const choices = {
  plain: {},
  orepa: { window: "orepa", pointwise: "orepa-1x1", large: "orepa-stem" },
  /** The same branches, each on feature maps with a norm of its own. */
  "orepa-offline": { window: "orepa", pointwise: "orepa-1x1", large: "orepa-stem", norm: "branch" },
  dbb: { window: "dbb" },
  repvgg: { window: "repvgg" },
  /** RepVGG whose 3x3 branch is OREPA's. */
  "repvgg-orepa": { window: "repvgg-orepa" },
  qarepvgg: { window: "qarepvgg" },
  acnet: { window: "acnet" },
  mobileone: { window: "mobileone", pointwise: "mobileone" },
} as const satisfies Record<string, Choice>;

/** The name of a kind of block. */
export type BlockChoice = keyof typeof choices;
/** All of them. */
export const blockChoices = Object.keys(choices) as readonly BlockChoice[];

/** From this side on a kernel is large. */
const LARGE = 7;

/** What stands for a convolution with windows of so many pixels a side; without a name, a plain convolution. */
export function blockFor(
  choice: BlockChoice,
  kernelSize: number,
): { readonly name: BlockName | undefined; readonly options: { readonly norm?: NormPlacement } } {
  const { window, pointwise, large, norm }: Choice = choices[choice];
  const name = kernelSize === 1 ? pointwise : kernelSize >= LARGE ? large : window;
  return { name, options: norm === undefined ? {} : { norm } };
}

/** A block of a kind in the place of a convolution. */
export function makeBlock(choice: BlockChoice, inChannels: number, outChannels: number, options: BlockOptions): Module {
  const { name, options: placement } = blockFor(choice, options.kernelSize ?? 3);
  if (name === undefined) return new PlainBlock(inChannels, outChannels, options);
  return createBlock(name, inChannels, outChannels, { ...options, ...placement });
}
