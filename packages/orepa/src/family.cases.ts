// Blocks of the family for tests: one case per block and placement of norms, filled so that no parameter is zero.
import { namedVariables, toDtype } from "@orepa/autograd";
import { Generator, rand, randn, type Tensor } from "@orepa/tensor";
import type { NormPlacement } from "./block.ts";
import { type BlockName, blockNames, createBlock } from "./definitions.ts";
import type { BlockOptions, RepBlock } from "./rep-block.ts";

/** Where norms may stand. */
export const placements: readonly NormPlacement[] = ["post", "branch", "both", "none"];

/** Windows that a block is for, the usual one first. */
export const kernelSizes: Readonly<Record<BlockName, readonly number[]>> = {
  ...(Object.fromEntries(blockNames.map((name) => [name, [3, 5]])) as unknown as Record<BlockName, readonly number[]>),
  "orepa-1x1": [1],
  "orepa-stem": [5, 7, 3],
  "deep-stem": [5, 7, 3],
  "large-kernel": [7, 9],
  mobileone: [3, 1, 5],
  plain: [3, 1],
};

/** Windows beside a large kernel that fit into 7x7. */
export const smallWindows = [{ size: 3 }, { size: 3, spacing: 3 }] as const;

/** Everything but the constants of a block drawn anew; running variances stay away from zero. */
export function fill(block: RepBlock, seed: number | string): RepBlock {
  const generator = new Generator(seed);
  for (const [key, v] of namedVariables(toDtype(block, "float64"))) {
    if (/(filters?|identity|id_tensor|avg_avg|weight_orepa_prior|tracked)$/.test(key)) continue;
    v.assign(rand(v.shape, { generator, low: key.endsWith("running_var") ? 0.5 : 0.2, high: 1.2, dtype: "float64" }));
  }
  return block;
}

/** A filled block and an input with a border and an inside. */
export function familyCase(
  name: BlockName,
  { inChannels = 4, outChannels = 4, seed = 0, ...options }: BlockOptions & Channels = {},
): { readonly block: RepBlock; readonly x: Tensor } {
  const { kernelSize = kernelSizes[name][0]!, dilation = 1 } = options;
  const block = fill(createBlock(name, inChannels, outChannels, { ...options, kernelSize }), seed);
  const side = dilation * (kernelSize - 1) + 2;
  const generator = new Generator(`input ${seed}`);
  return { block, x: randn([2, inChannels, side, side + 1], { generator, dtype: "float64" }) };
}

interface Channels {
  readonly inChannels?: number;
  readonly outChannels?: number;
  readonly seed?: number;
}
