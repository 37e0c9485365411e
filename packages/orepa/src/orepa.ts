// Orepa: the k x k block of online convolutional re-parameterization (Hu et al. 2022, arXiv 2204.00826).
import {
  BatchNorm2d,
  type Buffer,
  foldBatchNorm,
  Identity,
  loadStateDict,
  type Mode,
  type Module,
  Parameter,
  SiLU,
  stateDict,
  toDtype,
} from "@orepa/autograd";
import { add, conv2d, OpError, reshape, split, type Tensor, tensor, zeros } from "@orepa/tensor";
import { type LinearBlock, type NormPlacement, type ScaleKind, sumOfMaps } from "./block.ts";
import type { Branch } from "./branch.ts";
import { AverageBranch } from "./branches/average.ts";
import { DepthwiseSeparableBranch } from "./branches/depthwise-separable.ts";
import { OriginBranch } from "./branches/origin.ts";
import { PointwiseBranch } from "./branches/pointwise.ts";
import { PointwiseFullBranch } from "./branches/pointwise-full.ts";
import { PriorBranch } from "./branches/prior.ts";
import type { FrequencyPrior } from "./frequency-prior.ts";
import { type Geometry, type GeometryOptions, geometry, wholeNumber, windowOptions } from "./geometry.ts";
import { mergedKernel } from "./merge.ts";

/** The branches in the order of the rows of `vector`, with the first value of their scales (arXiv 2204.00826, published code). */
const firstScales = {
  origin: 0.25,
  average: 0.25,
  prior: 0,
  "1x1-kxk": 0.5,
  "1x1": 1,
  "depthwise-separable": 0.5,
} as const;

/** The six branches, as options and reports name them. */
export type BranchName = keyof typeof firstScales;
/** All of them, in the order of the rows of `vector`. */
export const branchNames = Object.keys(firstScales) as readonly BranchName[];

/** First values of the parameters. */
export interface OrepaInit {
  /** Multiplies the first kernels of every branch (1). */
  readonly gain?: number;
  /** The first scales are multiplied by its square root (1). */
  readonly gamma?: number;
  /** Starts as a plain convolution: the first branch has scale 1, the others 0. */
  readonly single?: boolean;
}

export interface OrepaOptions extends GeometryOptions {
  /** Inner width of the 1x1-kxk branch; inChannels up to 4 groups, twice that beyond. */
  readonly internal?: number;
  /** Channels per input channel in the depthwise-separable branch. */
  readonly expand?: number;
  /** Any subset of the six, at least one. */
  readonly branches?: readonly BranchName[];
  readonly scale?: ScaleKind;
  readonly norm?: NormPlacement;
  readonly eps?: number;
  readonly momentum?: number;
  /** A module of its own, or false for none; all blocks share one SiLU if not given. */
  readonly activation?: Module | false;
  readonly prior?: FrequencyPrior;
  readonly init?: OrepaInit;
}

const sharedSiLU = new SiLU();
const sharedIdentity = new Identity();

/**
 * y = act(BN(conv(x, K))), where K [O, I/G, k, k] is the scaled sum of up to six linear branches, merged anew at every
 * step: it trains with many branches at about the cost of one convolution, and deploys as one.
 *
 * The fields are the state dict of published checkpoints, names and order. The branches that are built over them live in a private
 * field, where the walk over fields (state dict, parameters, layer count) does not see them twice.
 *
 * @throws OpError for an even kernel size, k = 1, groups that do not divide, an unknown or missing branch.
 * @example
 * const block = new Orepa(16, 32, { stride: 2 });
 * block.forward(zeros([1, 16, 8, 8]), "eval").shape; // -> [1, 32, 4, 4]
 */
export class Orepa implements LinearBlock {
  readonly weight_orepa_origin: Parameter | undefined;
  readonly weight_orepa_avg_conv: Parameter | undefined;
  readonly weight_orepa_pfir_conv: Parameter | undefined;
  readonly weight_orepa_1x1: Parameter | undefined;
  readonly weight_orepa_1x1_kxk_idconv1: Parameter | undefined;
  readonly weight_orepa_1x1_kxk_conv2: Parameter | undefined;
  readonly weight_orepa_gconv_dw: Parameter | undefined;
  readonly weight_orepa_gconv_pw: Parameter | undefined;
  /** Scales, one row per branch: [branches, O] or, of kind scalar, [branches, 1]. */
  readonly vector: Parameter | undefined;
  readonly weight_orepa_avg_avg: Buffer | undefined;
  readonly id_tensor: Buffer | undefined;
  readonly weight_orepa_prior: Buffer | undefined;
  readonly bn: BatchNorm2d | undefined;
  readonly norms: readonly BatchNorm2d[] | undefined;
  readonly act: Module;

  readonly #geometry: Geometry;
  readonly #branches: readonly Branch[];
  readonly #options: OrepaOptions;

  constructor(inChannels: number, outChannels: number, options: OrepaOptions = {}) {
    const g = geometry("Orepa", inChannels, outChannels, options);
    const { groups } = g;
    const { norm = "post", eps = 1e-3, momentum = 0.03, activation = sharedSiLU, prior = "published" } = options;
    const { internal = groups <= 4 ? inChannels : 2 * inChannels, expand = 8, init: { gain = 1 } = {} } = options;
    wholeNumber("Orepa", "expand", expand, 1);
    wholeNumber("Orepa", "internal", internal, 1);
    if (internal % groups !== 0)
      throw new OpError("Orepa", `groups that divide the internal width ${internal}`, `${groups} groups`);
    const names = chosen(options.branches);
    const build = <B>(name: BranchName, branch: () => B): B | undefined =>
      names.includes(name) ? branch() : undefined;

    const origin = build("origin", () => new OriginBranch(g, gain));
    const average = build("average", () => new AverageBranch(g, gain));
    const frequency = build("prior", () => new PriorBranch(g, gain, prior));
    const full = build("1x1-kxk", () => new PointwiseFullBranch(g, gain, internal));
    const pointwise = build("1x1", () => new PointwiseBranch(g, gain));
    const separable = build("depthwise-separable", () => new DepthwiseSeparableBranch(g, gain, expand));

    this.weight_orepa_origin = origin?.weight;
    this.weight_orepa_avg_conv = average?.conv;
    this.weight_orepa_pfir_conv = frequency?.conv;
    this.weight_orepa_1x1 = pointwise?.weight;
    this.weight_orepa_1x1_kxk_idconv1 = full?.inner;
    this.weight_orepa_1x1_kxk_conv2 = full?.outer;
    this.weight_orepa_gconv_dw = separable?.depthwise;
    this.weight_orepa_gconv_pw = separable?.pointwise;
    this.vector = scaleParameter(names, outChannels, options);
    this.weight_orepa_avg_avg = average?.filter;
    this.id_tensor = full?.identity;
    this.weight_orepa_prior = frequency?.filters;
    this.bn = norm === "post" ? new BatchNorm2d(outChannels, { eps, momentum }) : undefined;
    this.norms = norm === "branch" ? names.map(() => new BatchNorm2d(outChannels, { eps, momentum })) : undefined;
    this.act = activation || sharedIdentity;

    this.#geometry = g;
    this.#options = options;
    this.#branches = [origin, average, frequency, full, pointwise, separable].filter((branch) => branch !== undefined);
  }

  get kind(): string {
    return "OREPA";
  }

  get geometry(): Geometry {
    return this.#geometry;
  }

  get branches(): readonly Branch[] {
    return this.#branches;
  }

  scales(): readonly (Tensor | undefined)[] {
    if (!this.vector) return this.#branches.map(() => undefined);
    return split(this.vector.value, 1, 0).map((row) => reshape(row, [-1, 1, 1, 1]));
  }

  /** Computed from the parameters as they are now; in a compiled program it is part of the program. */
  kernel(): Tensor {
    return mergedKernel(this);
  }

  /** [N, I, H, W] to [N, O, H', W'], H' = floor((H + 2 padding - dilation (k - 1) - 1) / stride) + 1. */
  forward(x: Tensor, mode: Mode): Tensor {
    const y = this.norms ? sumOfMaps(this, x, mode) : conv2d(x, this.kernel(), windowOptions(this.#geometry));
    return this.act.forward(this.bn?.forward(y, mode) ?? y, mode);
  }

  merge(): { readonly weight: Tensor; readonly bias: Tensor } {
    const block = this.linearCopy();
    const { bn, norms } = block;
    if (bn) return foldBatchNorm(block.kernel(), undefined, bn);
    if (!norms) return { weight: block.kernel(), bias: zeros([this.#geometry.outChannels], { dtype: "float64" }) };
    const factors = block.scales();
    return block.branches
      .map((branch, i) => foldBatchNorm(branch.kernel(factors[i]), undefined, norms[i]!))
      .reduce((sum, part) => ({ weight: add(sum.weight, part.weight), bias: add(sum.bias, part.bias) }));
  }

  linearCopy(): Orepa {
    const { inChannels, outChannels } = this.#geometry;
    const copy = toDtype(new Orepa(inChannels, outChannels, { ...this.#options, activation: false }), "float64");
    loadStateDict(copy, new Map([...stateDict(this)].filter(([key]) => !key.startsWith("act."))));
    return copy;
  }
}

/** The chosen branches in the order of `vector`. */
function chosen(asked: readonly BranchName[] = branchNames): readonly BranchName[] {
  const unknown = asked.find((name) => !branchNames.includes(name));
  if (unknown !== undefined || asked.length === 0)
    throw new OpError("Orepa", `at least one branch of ${branchNames.join(", ")}`, unknown ?? "none");
  return branchNames.filter((name) => asked.includes(name));
}

/** `vector`, its rows constant at first: v = sqrt(gamma) * the branch's first scale. */
function scaleParameter(
  names: readonly BranchName[],
  outChannels: number,
  {
    norm = "post",
    scale = norm === "branch" ? "none" : "vector",
    init: { gamma = 1, single = false } = {},
  }: OrepaOptions,
): Parameter | undefined {
  if (scale === "none") return undefined;
  const shape = [names.length, scale === "vector" ? outChannels : 1];
  const first = names.map((name, row) => (single ? Number(row === 0) : firstScales[name] * Math.sqrt(gamma)));
  return new Parameter(shape, {
    kind: "values",
    values: tensor(
      first.flatMap((v) => Array<number>(shape[1]!).fill(v)),
      { shape },
    ),
  });
}
