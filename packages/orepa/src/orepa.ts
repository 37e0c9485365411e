// Orepa: the k x k block of online convolutional re-parameterization (Hu et al. 2022, arXiv 2204.00826).
import type { Buffer, Parameter } from "@orepa/autograd";
import { blockDefinitions } from "./definitions.ts";
import { type BlockInit, type BlockOptions, RepBlock } from "./rep-block.ts";

/** The six branches in the order of the rows of `vector`, as options and reports name them. */
export const branchNames = ["origin", "average", "prior", "1x1-kxk", "1x1", "depthwise-separable"] as const;
/** One of them. */
export type BranchName = (typeof branchNames)[number];

export type OrepaInit = BlockInit;

export interface OrepaOptions extends BlockOptions {
  /** Any subset of the six, at least one. */
  readonly branches?: readonly BranchName[];
}

/**
 * y = act(BN(conv(x, K))), where K [O, I/G, k, k] is the scaled sum of up to six linear branches, merged anew at every
 * step: it trains with many branches at about the cost of one convolution, and deploys as one.
 *
 * The fields are the state dict of published checkpoints, names and order.
 *
 * @throws OpError for an even kernel size, k = 1, groups that do not divide, an unknown or missing branch.
 * @example
 * const block = new Orepa(16, 32, { stride: 2 });
 * block.forward(zeros([1, 16, 8, 8]), "eval").shape; // -> [1, 32, 4, 4]
 */
export class Orepa extends RepBlock {
  declare readonly weight_orepa_origin: Parameter | undefined;
  declare readonly weight_orepa_avg_conv: Parameter | undefined;
  declare readonly weight_orepa_pfir_conv: Parameter | undefined;
  declare readonly weight_orepa_1x1: Parameter | undefined;
  declare readonly weight_orepa_1x1_kxk_idconv1: Parameter | undefined;
  declare readonly weight_orepa_1x1_kxk_conv2: Parameter | undefined;
  declare readonly weight_orepa_gconv_dw: Parameter | undefined;
  declare readonly weight_orepa_gconv_pw: Parameter | undefined;
  declare readonly weight_orepa_avg_avg: Buffer | undefined;
  declare readonly id_tensor: Buffer | undefined;
  declare readonly weight_orepa_prior: Buffer | undefined;

  constructor(inChannels: number, outChannels: number, options: OrepaOptions = {}) {
    super(blockDefinitions.orepa, inChannels, outChannels, options);
  }
}
