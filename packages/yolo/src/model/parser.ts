// From model text to a model: scales, inputs, channels and strides of every layer; the blocks come from a registry.

import { UserError } from "../errors.ts";
import { roundHalfEven } from "../round.ts";
import { type ModelDefinition, type Row, readDefinition, type Scale } from "./definition.ts";
import { DetectModel, inputsOf, type LayerInfo } from "./detect-model.ts";
import type { BlockRegistry, BuiltBlock, BuiltHead } from "./registry.ts";
import { yoloBlocks } from "./yolo-blocks.ts";

/** Options of `buildModel`. */
export interface BuildOptions {
  /** A name under `scales` of the text (n, s, m, l, x); the first one if not given. */
  readonly scale?: string | undefined;
  /** Number of classes; that of the text if not given. */
  readonly nc?: number | undefined;
  /** The blocks that the text may name. */
  readonly registry?: BlockRegistry;
  /** The deployed architecture: every convolution block is a convolution with bias and activation, no norm. */
  readonly fused?: boolean;
}

const imageChannels = 3;
const channelMultiple = 8;
const noScale: Scale = { name: "", depth: 1, width: 1, maxChannels: Number.POSITIVE_INFINITY };

/**
 * Builds the model of a text such as `yolo11`.
 * @throws UserError if the text, the scale, a block's name or its arguments are not as expected.
 *
 * @example
 * const { text, scale } = modelYaml("yolo11n.yaml");
 * buildModel(text, { scale, nc: 10 }).strides; // -> [8, 16, 32]
 */
export function buildModel(text: string, options: BuildOptions = {}): DetectModel {
  const { registry = yoloBlocks, fused = false } = options;
  const definition = readDefinition(text);
  const scale = findScale(definition, options.scale);
  const nc = options.nc ?? definition.nc;
  if (nc === undefined) throw new UserError("model: expected nc, the number of classes, in the text or as an option");
  const layers: LayerInfo[] = [];
  const blocks: BuiltBlock[] = [];
  for (const row of definition.rows) {
    const repeats = row.repeats > 1 ? Math.max(roundHalfEven(row.repeats * scale.depth), 1) : row.repeats;
    const built = build(row, { registry, scale, nc, fused, repeats, blocks });
    layers.push({ index: row.index, from: row.from, repeats, block: row.block, args: built.args });
    const last = row.index === definition.rows.length - 1;
    if (last !== (built.kind === "head"))
      throw new UserError(`layer ${row.index} (${row.block}): expected a head as the last layer, and only there`);
    if (built.kind === "block") blocks.push(built);
    else return new DetectModel(layers, blocks, built.module, { text, scale: scale.name, nc, registry, fused });
  }
  throw new UserError("model text: expected a head as the last layer, got no layers");
}

interface Surroundings {
  readonly registry: BlockRegistry;
  readonly scale: Scale;
  readonly nc: number;
  readonly fused: boolean;
  readonly repeats: number;
  /** The layers so far. */
  readonly blocks: readonly BuiltBlock[];
}

function build(row: Row, { registry, scale, nc, fused, repeats, blocks }: Surroundings): BuiltBlock | BuiltHead {
  const builder = Object.hasOwn(registry, row.block) ? registry[row.block] : undefined;
  if (!builder)
    throw new UserError(
      `layer ${row.index}: expected a known block, got "${row.block}"; known are ${Object.keys(registry).sort().join(", ")}`,
    );
  const inputs = inputsOf(row).map((input) => (input < 0 ? image : blocks[input]!));
  return builder({
    where: `layer ${row.index} (${row.block})`,
    inChannels: inputs.map((input) => input.outChannels),
    inStrides: inputs.map((input) => input.stride),
    args: row.args.map((arg) => (arg === "nc" ? nc : arg === "None" ? null : arg)),
    repeats,
    scale,
    fused,
    scaleChannels: (channels) => (channels === nc ? channels : scaleChannels(channels, scale)),
  });
}

const image = { outChannels: imageChannels, stride: 1 };

function findScale({ scales }: ModelDefinition, name: string | undefined): Scale {
  if (name === undefined) return scales[0] ?? noScale;
  const scale = scales.find((candidate) => candidate.name === name);
  if (!scale)
    throw new UserError(
      `model: expected a scale of the text (${scales.map((s) => s.name).join(", ") || "it has none"}), got "${name}"`,
    );
  return scale;
}

/** ceil(min(c, maxChannels) * width / 8) * 8   */
const scaleChannels = (channels: number, { width, maxChannels }: Scale): number =>
  Math.ceil((Math.min(channels, maxChannels) * width) / channelMultiple) * channelMultiple;
