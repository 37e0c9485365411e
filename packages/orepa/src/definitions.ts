// The blocks of the family: each is a short list of branches.
import type { BranchSpec, StageSpec } from "./branches/table.ts";
import type { Geometry } from "./geometry.ts";
import { type BlockDefinition, type BlockOptions, RepBlock } from "./rep-block.ts";

/** He et al. 2015 with a = 1 and with a = sqrt 5, as gains over a = 0: 1 / sqrt(1 + a^2). */
const [heOne, heRootFive] = [1 / Math.sqrt(2), 1 / Math.sqrt(6)];

/** Gains of the factors of the depthwise-separable branch multiply to the block's. */
const orepaBranches = (g: Geometry, options: BlockOptions): readonly BranchSpec[] => {
  const { internal = g.groups <= 4 ? g.inChannels : 2 * g.inChannels, expand = 8, prior } = options;
  return [
    { kind: "origin", firstScale: 0.25 },
    { kind: "average", firstScale: 0.25 },
    { kind: "prior", firstScale: 0, prior },
    { kind: "1x1-kxk", firstScale: 0.5, width: internal },
    { kind: "1x1", firstScale: 1 },
    { kind: "depthwise-separable", firstScale: 0.5, expand },
  ];
};

const identityIfPossible = ({ inChannels, outChannels, stride }: Geometry, extra: { readonly norm?: false } = {}) =>
  inChannels === outChannels && stride === 1 ? [{ kind: "identity", ...extra } as const] : [];

/** The plain block: one kernel. */
const plain: BlockDefinition = {
  title: "Plain",
  scale: "none",
  gain: heRootFive,
  branches: () => [{ kind: "origin" }],
};

/** Hu et al. 2022, arXiv 2204.00826. Fields as in published checkpoints. */
const orepa: BlockDefinition = {
  title: "OREPA",
  branches: orepaBranches,
  fields: [
    ["origin.weight", "weight_orepa_origin"],
    ["average.conv", "weight_orepa_avg_conv"],
    ["prior.conv", "weight_orepa_pfir_conv"],
    ["1x1.weight", "weight_orepa_1x1"],
    ["1x1-kxk.inner", "weight_orepa_1x1_kxk_idconv1"],
    ["1x1-kxk.outer", "weight_orepa_1x1_kxk_conv2"],
    ["depthwise-separable.depthwise", "weight_orepa_gconv_dw"],
    ["depthwise-separable.pointwise", "weight_orepa_gconv_pw"],
    ["vector", "vector"],
    ["average.filter", "weight_orepa_avg_avg"],
    ["1x1-kxk.identity", "id_tensor"],
    ["prior.filters", "weight_orepa_prior"],
  ],
};

/** The same paper's block for 1x1 kernels. */
const orepa1x1: BlockDefinition = {
  title: "OREPA-1x1",
  gain: heOne,
  branches: () => [
    { kind: "origin", firstScale: 1 },
    { kind: "1x1-1x1", firstScale: 0.5 },
  ],
};

/** The same paper's linear deep stem: 3x3 layers in a row, each of them the sum of an OREPA block. */
const orepaStem: BlockDefinition = {
  title: "OREPA-stem",
  scale: "none",
  branches: (g, options) => [
    deepStem(g, options, (layer) => ({ kind: "sum", branches: orepaBranches(layer, options) })),
  ],
};

/** The stem with plain 3x3 layers. */
const deepStemBase: BlockDefinition = {
  title: "Deep-stem",
  scale: "none",
  gain: heRootFive,
  branches: (g, options) => [deepStem(g, options, () => ({ kind: "origin" }))],
};

function deepStem(
  g: Geometry,
  { width = g.outChannels, mirrored = false }: BlockOptions,
  layer: (g: Geometry) => BranchSpec,
): BranchSpec {
  const stages = Array.from({ length: (g.kernelSize - 1) / 2 }, (_, i): StageSpec => {
    const inChannels = i === 0 ? g.inChannels : width;
    return { stage: layer({ ...g, kernelSize: 3, inChannels }), kernelSize: 3, width };
  });
  return { kind: "chain", name: "stem", stages, mirrored };
}

/** RepVGG's block with OREPA branches, merged among themselves, in the place of its 3x3 kernel (arXiv 2204.00826). */
const repVggOrepa: BlockDefinition = {
  title: "RepVGG-OREPA",
  norm: "branch",
  branches: (g, options) => [
    {
      kind: "sum",
      name: "dense",
      gain: heOne,
      branches: orepaBranches(g, options).flatMap((spec): readonly BranchSpec[] =>
        // Both factors of the depthwise-separable branch have the gain in full.
        spec.kind === "1x1" ? [] : spec.kind === "depthwise-separable" ? [{ ...spec, gain: heOne }] : [spec],
      ),
    },
    { kind: "1x1", gain: heRootFive },
    ...identityIfPossible(g),
  ],
};

/** Ding et al. 2021, arXiv 2101.03697. */
const repVgg: BlockDefinition = {
  title: "RepVGG",
  norm: "branch",
  gain: heRootFive,
  branches: (g) => [{ kind: "origin", name: "dense" }, { kind: "1x1" }, ...identityIfPossible(g)],
};

/** Chu et al. 2022, arXiv 2212.01593: no norm on 1x1 and identity, one after the sum; survives 8-bit integers. */
const qaRepVgg: BlockDefinition = {
  title: "QARepVGG",
  norm: "both",
  gain: heRootFive,
  branches: (g) => [
    { kind: "origin", name: "dense" },
    { kind: "1x1", norm: false },
    ...identityIfPossible(g, { norm: false }),
  ],
};

/** Diverse branch block, Ding et al. 2021, arXiv 2103.13425. With norms after its branches it also has norms inside of them. */
const dbb: BlockDefinition = {
  title: "DBB",
  norm: "branch",
  gain: heRootFive,
  branches: (g, { norm, internal }) => {
    const { inChannels, outChannels, kernelSize: k, groups } = g;
    const depthwise = groups === outChannels && inChannels === outChannels;
    const width = internal ?? (depthwise ? 2 * inChannels : inChannels);
    const inner = norm === "branch" || norm === "both";
    const average: BranchSpec = !inner
      ? { kind: "average" }
      : { kind: "chain", name: "average", stages: [pointwise("origin", outChannels), window("pool", k)] };
    const first = width === inChannels ? "near-identity" : "origin";
    const full: BranchSpec = !inner
      ? { kind: "1x1-kxk", width }
      : { kind: "chain", name: "1x1-kxk", stages: [pointwise(first, width), window("origin", k)] };
    return depthwise
      ? [{ kind: "origin" }, { kind: "pool", name: "average" }, full]
      : [{ kind: "origin" }, average, { kind: "1x1" }, full];
  },
};

const pointwise = (kind: "origin" | "near-identity", width: number): StageSpec => ({
  stage: { kind },
  kernelSize: 1,
  width,
});
const window = (kind: "origin" | "pool", kernelSize: number): StageSpec => ({
  stage: { kind },
  kernelSize,
  norm: true,
});

/** Asymmetric convolutions, Ding et al. 2019, arXiv 1908.03930. */
const acNet: BlockDefinition = {
  title: "ACNet",
  norm: "branch",
  gain: heRootFive,
  branches: () => [{ kind: "origin" }, { kind: "1xk" }, { kind: "kx1" }],
};

/** Vasu et al. 2022, arXiv 2206.04040: copies of one kernel, its centre, and the input; for depthwise and 1x1 convolutions. */
const mobileOne: BlockDefinition = {
  title: "MobileOne",
  norm: "branch",
  gain: heRootFive,
  branches: (g, { copies = 4 }) => [
    ...Array.from({ length: copies }, (_, i) => ({ kind: "origin", name: `conv${i}` }) as const),
    ...(g.kernelSize > 1 ? [{ kind: "1x1" } as const] : []),
    ...identityIfPossible(g),
  ],
};

/** FastViT's token mixer, Vasu et al. 2023, arXiv 2303.14189: x + norms of depthwise kernels of a normed x. Depthwise in use. */
const repMixer: BlockDefinition = {
  title: "RepMixer",
  norm: "branch",
  gain: heRootFive,
  branches: (g, { norm }) => [
    norm === "branch" || norm === "both"
      ? { kind: "chain", name: "mixer", stages: [window("origin", g.kernelSize)] }
      : { kind: "origin", name: "mixer" },
    { kind: "1x1" },
    ...identityIfPossible(g, { norm: false }),
  ],
};

/** Large kernels with small ones beside them (RepLKNet, 2203.06717) or with small dilated ones (UniRepLKNet, 2311.15599). */
const largeKernel: BlockDefinition = {
  title: "Large-kernel",
  norm: "branch",
  gain: heRootFive,
  branches: (_, { windows = [{ size: 5 }] }) => [
    { kind: "origin" },
    ...windows.map(({ size, spacing = 1 }) => {
      const name = spacing === 1 ? `${size}x${size}` : `${size}x${size} spaced ${spacing}`;
      return { kind: "small", name, size, spacing } as const;
    }),
  ],
};

/** A 1x1 - k x k - 1x1 chain, wider in the middle (ExpandNet, arXiv 1811.10495). */
const expandNet: BlockDefinition = {
  title: "ExpandNet",
  scale: "none",
  gain: heRootFive,
  branches: ({ inChannels, outChannels, kernelSize }, { expand = 4 }) => [
    {
      kind: "chain",
      stages: [
        { stage: { kind: "origin" }, kernelSize: 1, width: expand * inChannels },
        { stage: { kind: "origin" }, kernelSize, width: expand * outChannels },
        { stage: { kind: "origin" }, kernelSize: 1 },
      ],
    },
  ],
};

/** Edge filters beside the kernel (ECBSR, Zhang et al. 2021). */
const edge: BlockDefinition = {
  title: "Edge",
  gain: heRootFive,
  branches: () => [
    { kind: "origin" },
    { kind: "1x1-kxk" },
    { kind: "fixed", filter: "sobel-x" },
    { kind: "fixed", filter: "sobel-y" },
    { kind: "fixed", filter: "laplacian" },
  ],
};

/** The closed table of blocks. */
export const blockDefinitions = {
  plain,
  orepa,
  "orepa-1x1": orepa1x1,
  "orepa-stem": orepaStem,
  "deep-stem": deepStemBase,
  "repvgg-orepa": repVggOrepa,
  repvgg: repVgg,
  qarepvgg: qaRepVgg,
  dbb,
  acnet: acNet,
  mobileone: mobileOne,
  repmixer: repMixer,
  "large-kernel": largeKernel,
  expandnet: expandNet,
  edge,
} as const satisfies Readonly<Record<string, BlockDefinition>>;

/** A block of the table. */
export type BlockName = keyof typeof blockDefinitions;
/** All of them. */
export const blockNames = Object.keys(blockDefinitions) as readonly BlockName[];

/**
 * A block by its name in the table, or of a definition of your own.
 * @throws OpError for a geometry that the block cannot have.
 * @example
 * createBlock("repvgg", 16, 16).branches.map((branch) => branch.name).join(", "); // -> dense, 1x1, identity
 */
export const createBlock = (
  block: BlockName | BlockDefinition,
  inChannels: number,
  outChannels: number,
  options: BlockOptions = {},
): RepBlock =>
  new RepBlock(typeof block === "string" ? blockDefinitions[block] : block, inChannels, outChannels, options);

/**
 * The same block with a plain kernel beside its other branches: what has nothing but factors can then start as any convolution.
 * @example
 * createBlock(withOrigin("deep-stem"), 3, 8, { kernelSize: 7 }).branches.map((branch) => branch.name).join(", "); // -> stem, origin
 */
export function withOrigin(block: BlockName | BlockDefinition): BlockDefinition {
  const definition: BlockDefinition = typeof block === "string" ? blockDefinitions[block] : block;
  return { ...definition, branches: (g, options) => [...definition.branches(g, options), { kind: "origin" }] };
}
