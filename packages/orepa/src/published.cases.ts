// The reference blocks of fixtures/orepa as blocks of this package: how the published arguments read here.
import { readFileSync } from "node:fs";
import { ReLU, readSafetensors, toDtype } from "@orepa/autograd";
import { cast, type Tensor } from "@orepa/tensor";
import { type BlockName, createBlock } from "./definitions.ts";
import { loadPublished } from "./published.ts";
import type { BlockOptions, RepBlock } from "./rep-block.ts";
import { SqueezeExcite } from "./squeeze-excite.ts";

/** Folder of the reference data. */
export const referenceFolder = new URL("../../../fixtures/orepa/", import.meta.url);

/** Settings of norms in the reference. */
export const referenceNorm = { eps: 1e-5, momentum: 0.1 } as const;

/** A file's tensors in float64, and its metadata. */
export function readReference(file: string) {
  const bytes = new Uint8Array(readFileSync(new URL(file, referenceFolder)));
  const { tensors, metadata } = readSafetensors(bytes);
  return { tensors: new Map([...tensors].map(([key, t]) => [key, cast(t, "float64")])), metadata };
}

/** The entries whose key starts with a prefix, without it. */
export const part = (tensors: ReadonlyMap<string, Tensor>, prefix: string) =>
  new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t]));

/** Published kinds of blocks: ours, with what is said differently. */
const kinds: Readonly<Record<string, { readonly name: BlockName; readonly options?: BlockOptions }>> = {
  OREPA: { name: "orepa" },
  OREPA_1x1: { name: "orepa-1x1" },
  OREPA_LargeConvBase: { name: "deep-stem" },
  OREPA_LargeConv: { name: "orepa-stem" },
  OREPA_3x3_RepVGG: {
    name: "orepa",
    options: { branches: ["origin", "average", "prior", "1x1-kxk", "depthwise-separable"] },
  },
  RepVGGBlock_OREPA: { name: "repvgg-orepa" },
  RepVGGBlock: { name: "repvgg" },
  DBB: { name: "dbb" },
  ConvBN: { name: "plain" },
};

interface Config {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly kernel_size: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly internal_channels_1x1_3x3?: number;
  readonly use_se?: boolean;
  readonly nonlinear: "relu" | null;
}

/** The block of a file in float64, with its first parameters. */
export function referenceBlock(file: string, options: BlockOptions = {}) {
  const { tensors, metadata } = readReference(file);
  const { kind, config } = metadata as { kind: string; config: string };
  const c = JSON.parse(config) as Config;
  const { name, options: usual } = kinds[kind]!;
  const relu = new ReLU();
  const block = createBlock(name, c.in_channels, c.out_channels, {
    ...{ kernelSize: c.kernel_size, stride: c.stride, padding: c.padding, ...referenceNorm, ...usual },
    ...{ dilation: c.dilation ?? 1, groups: c.groups ?? 1 },
    ...(c.internal_channels_1x1_3x3 ? { internal: c.internal_channels_1x1_3x3 } : {}),
    activation: c.use_se ? new SqueezeExcite(c.out_channels, { activation: relu }) : c.nonlinear ? relu : false,
    ...options,
  });
  const start = new Map([...part(tensors, "param."), ...part(tensors, "buffer.")]);
  return { block: loadPublished(toDtype(block, "float64"), start), tensors, kind };
}

/** `customL2` counts what has a dense and a 1x1 branch. */
export const hasCustomL2 = (block: RepBlock): boolean => block.kind.startsWith("RepVGG");
