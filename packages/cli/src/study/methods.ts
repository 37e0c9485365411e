// The methods that the study compares: how each names its block in this program's parts.

import { type Module, SiLU } from "@orepa/autograd";
import { type BlockName, createBlock, PlainBlock } from "@orepa/orepa";
import type { Reparam } from "../reparam.ts";

interface Method {
  /** A plain convolution with its norm where there is none. */
  readonly block?: BlockName;
  /** Branches on feature maps, each with a norm of its own. */
  readonly offline?: true;
  readonly reparam: Reparam;
  readonly title: string;
  /** What it is, for the report. */
  readonly about: string;
}

/** By the names of methods= and of the results. */
export const METHODS = {
  plain: {
    reparam: "none",
    title: "plain",
    about: "a convolution, its norm and SiLU: nothing to merge, and what all others are once deployed",
  },
  dbb: {
    block: "dbb",
    reparam: "dbb",
    title: "DBB",
    about: "diverse branch block (arXiv 2103.13425): four branches on feature maps with norms of their own",
  },
  repvgg: {
    block: "repvgg",
    reparam: "repvgg",
    title: "RepVGG",
    about:
      "RepVGG's block (arXiv 2101.03697): 3x3, 1x1 and, where shapes allow, identity, on feature maps with norms of their own",
  },
  orepa: {
    block: "orepa",
    reparam: "orepa",
    title: "OREPA",
    about:
      "online re-parameterization (arXiv 2204.00826): six branches that merge into one kernel before the convolution, at every step",
  },
  "orepa-offline": {
    block: "orepa",
    offline: true,
    reparam: "orepa-offline",
    title: "OREPA offline",
    about: "OREPA's six branches on feature maps with norms of their own: what merging online saves",
  },
} as const satisfies Record<string, Method>;

/** A method's name. */
export type MethodName = keyof typeof METHODS;
/** All of them. */
export const methodNames = Object.keys(METHODS) as readonly MethodName[];

/** The settings of YOLO11's blocks. */
const options = { eps: 1e-3, momentum: 0.03, activation: new SiLU() } as const;

/** The method's 3x3 block with as many channels out as in. */
export function methodBlock(name: MethodName, channels: number): Module {
  const { block, offline }: Method = METHODS[name];
  if (block === undefined) return new PlainBlock(channels, channels, options);
  return createBlock(block, channels, channels, { ...options, ...(offline && { norm: "branch" }) });
}
