// Checkpoints of the published repository: their names, and what in them lies otherwise than in our blocks.
import { Buffer, loadStateDict, namedVariables, Parameter } from "@orepa/autograd";
import { flip, OpError, slice, type Tensor } from "@orepa/tensor";
import { blockDefinitions } from "./definitions.ts";
import type { RepBlock } from "./rep-block.ts";

/** Patterns of published names, and ours: `norm(x)` is the norm after branch x. */
type Renames = readonly (readonly [pattern: RegExp, name: string])[];

const norm = /(weight|bias|running_mean|running_var|num_batches_tracked)$/.source;
const after = (prefix: string, branch: string): Renames[number] => [
  new RegExp(`^${prefix}\\.${norm}`),
  `norm(${branch}).$1`,
];
const same: Renames = [[/^(bn\..*)$/, "$1"]];
/** The parts of an OREPA sum, behind a prefix: `weight_orepa_origin` is `origin.weight` there. */
const partsOf = (before: string, ours: string, word = "orepa"): Renames =>
  blockDefinitions.orepa.fields!.map(([path, field]) => [
    new RegExp(`^${before}${field.replace("orepa", word)}$`),
    `${ours}${path}`,
  ]);
const repVgg: Renames = [
  [/^rbr_1x1\.conv\.weight$/, "1x1.weight"],
  after("rbr_1x1\\.bn", "1x1"),
  after("rbr_identity", "identity"),
  after("rbr_dense\\.bn", "dense"),
  [/^se\.(.*)$/, "act.$1"],
];

const renames: Readonly<Record<string, Renames>> = {
  Plain: [[/^conv\.weight$/, "origin.weight"], ...same],
  OREPA: [
    ...same,
    ...blockDefinitions.orepa.fields!.flatMap(
      ([, field]): Renames => [
        [new RegExp(`^${field}$`), field],
        [new RegExp(`^${field.replace("orepa", "rbr")}$`), field],
      ],
    ),
  ],
  "OREPA-1x1": [
    ...same,
    [/^weight_or1x1_origin$/, "origin.weight"],
    [/^weight_or1x1_l2i_conv1$/, "1x1-1x1.inner"],
    [/^weight_or1x1_l2i_conv2$/, "1x1-1x1.outer"],
    [/^vector$/, "vector"],
  ],
  "OREPA-stem": [...same, ...partsOf("weight(\\d+)\\.", "stem.$1.")],
  "Deep-stem": [...same, [/^weight(\d+)$/, "stem.$1.weight"]],
  RepVGG: [[/^rbr_dense\.conv\.weight$/, "dense.weight"], ...repVgg],
  "RepVGG-OREPA": [...partsOf("rbr_dense\\.", "dense.", "rbr"), ...repVgg],
  DBB: [
    [/^dbb_origin\.conv\.weight$/, "origin.weight"],
    after("dbb_origin\\.bn", "origin"),
    [/^dbb_avg\.conv\.weight$/, "average.0.weight"],
    [/^dbb_avg\.bn\.bn\.(.*)$/, "average.norm1.$1"],
    after("dbb_avg\\.avgbn", "average"),
    [/^dbb_1x1\.conv\.weight$/, "1x1.weight"],
    after("dbb_1x1\\.bn", "1x1"),
    [/^dbb_1x1_kxk\.(?:id)?conv1\.weight$/, "1x1-kxk.0.weight"],
    [/^dbb_1x1_kxk\.bn1\.bn\.(.*)$/, "1x1-kxk.norm1.$1"],
    [/^dbb_1x1_kxk\.conv2\.weight$/, "1x1-kxk.1.weight"],
    after("dbb_1x1_kxk\\.bn2", "1x1-kxk"),
  ],
};

/**
 * The state dict of a block from the tensors of a published checkpoint by their names (without the path of the block). What the
 * published code does otherwise is put right here:
 *
 * - rows of the grouped depthwise-separable branch lie in its order, which is ours too;
 * - the layers of its deep stems act mirrored: they are flipped unless the block was made with `mirrored`;
 * - a sixth, unused row of scales in RepVGG blocks is dropped;
 * - filters and identities that it leaves out, and counts of batches, are the block's own.
 *
 * @throws OpError that names the first tensor that is missing, is not of this kind of block, or has another shape.
 */
export function publishedState(block: RepBlock, tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const rules = renames[block.kind];
  const expected = `weights of a ${block.kind} block`;
  if (!rules)
    throw new OpError("publishedState", `a block of ${Object.keys(renames).join(", ")}`, `a ${block.kind} block`);
  const variables = namedVariables(block);
  const state = new Map<string, Tensor>();
  for (const [name, value] of tensors) {
    const key = rename(block, name, rules);
    const variable = key === undefined ? undefined : variables.get(key);
    if (key === undefined || !variable) throw new OpError("publishedState", expected, `"${name}"`, "of another block?");
    const surplus = isVector(key) && value.shape[0] !== variable.shape[0];
    const fitted = surplus ? slice(value, 0, 0, variable.shape[0]!) : value;
    if (fitted.shape.join() !== variable.shape.join())
      throw new OpError("publishedState", `"${name}" of shape [${variable.shape}]`, `[${value.shape}]`);
    state.set(key, /^stem\.[1-9]/.test(key) && !block.options.mirrored && !isVector(key) ? mirror(fitted) : fitted);
  }
  for (const [key, variable] of variables) {
    if (state.has(key)) continue;
    if (variable instanceof Parameter || /running_(mean|var)$/.test(key) || !(variable instanceof Buffer))
      throw new OpError("publishedState", expected, `none for ${key}`, "of another block, or not all of it?");
    state.set(key, /^stem\.[1-9]/.test(key) && !block.options.mirrored ? mirror(variable.value) : variable.value);
  }
  return state;
}

/**
 * Loads a published checkpoint into a block, and returns it.
 * @throws OpError as `publishedState` does; the block is unchanged then.
 */
export function loadPublished<B extends RepBlock>(block: B, tensors: ReadonlyMap<string, Tensor>): B {
  loadStateDict(block, publishedState(block, tensors));
  return block;
}

function rename(block: RepBlock, name: string, rules: Renames): string | undefined {
  const rule = rules.find(([pattern]) => pattern.test(name));
  const key = rule && name.replace(rule[0], rule[1]);
  return key?.replace(/^norm\((.*)\)/, (_, branch: string) => {
    return `norms.${block.branches.findIndex((one) => one.name === branch)}`;
  });
}

const isVector = (key: string): boolean => /(^|\.)vector$/.test(key);
const mirror = (x: Tensor): Tensor => (x.rank < 2 ? x : flip(x, [-2, -1]));
