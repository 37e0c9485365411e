// The closed table of branches: what a block's list may name, and what each entry takes.
import type { BatchNorm2dOptions } from "@orepa/autograd";
import type { Branch, BranchOptions } from "../branch.ts";
import type { FrequencyPrior } from "../frequency-prior.ts";
import type { Geometry } from "../geometry.ts";
import { PaddedNorm } from "../padded-norm.ts";
import type { ScaleKind } from "../scales.ts";
import { AverageBranch } from "./average.ts";
import { ChainBranch, stageGeometries } from "./chain.ts";
import { ChannelwiseBranch } from "./channelwise.ts";
import { DepthwiseSeparableBranch } from "./depthwise-separable.ts";
import { type FixedFilter, FixedFilterBranch } from "./fixed.ts";
import { NearIdentityBranch } from "./near-identity.ts";
import { OriginBranch } from "./origin.ts";
import { PointwiseBranch } from "./pointwise.ts";
import { PointwiseFullBranch } from "./pointwise-full.ts";
import { PointwiseProductBranch } from "./pointwise-product.ts";
import { PriorBranch } from "./prior.ts";
import { SmallBranch } from "./small.ts";
import { SumBranch } from "./sum.ts";

/** What each kind of branch takes. */
export interface BranchKinds {
  /** The plain k x k kernel. */
  origin: BranchOptions;
  /** The kernel's centre. */
  "1x1": BranchOptions;
  /** 1x1, then the mean over the window. */
  average: BranchOptions;
  /** 1x1, then a fixed cosine per output channel. */
  prior: BranchOptions & { readonly prior?: FrequencyPrior | undefined };
  /** 1x1 that starts as the identity, then k x k; `width` channels between them, as many as the block's input if not given. */
  "1x1-kxk": BranchOptions & { readonly width?: number | undefined };
  /** Two 1x1, one of which starts as the identity (1x1 kernels only). */
  "1x1-1x1": BranchOptions;
  /** `expand` windows per input channel (8), then 1x1. */
  "depthwise-separable": BranchOptions & { readonly expand?: number };
  /** The input itself. */
  identity: BranchOptions;
  /** The mean over the window of each channel. */
  pool: BranchOptions;
  /** One row of the window. */
  "1xk": BranchOptions;
  /** One column of the window. */
  kx1: BranchOptions;
  /** A smaller window with `size` taps a side, `spacing` apart (1). */
  small: BranchOptions & { readonly size: number; readonly spacing?: number };
  /** 1x1, then a Sobel or Laplacian filter. */
  fixed: BranchOptions & { readonly filter: FixedFilter };
  /** 1x1 that starts as the identity: a stage of a chain (1x1 kernels only). */
  "near-identity": BranchOptions;
  /** Stages in a row, each with the gain; `mirrored` as the published deep stem has them. */
  chain: BranchOptions & { readonly stages: readonly StageSpec[]; readonly mirrored?: boolean };
  /** Branches side by side that merge among themselves. */
  sum: BranchOptions & { readonly branches: readonly BranchSpec[]; readonly scale?: Exclude<ScaleKind, "none"> };
  /** A linear map of your own. */
  custom: BranchOptions & { readonly build: (geometry: Geometry) => Branch };
}

/** A kind of branch. */
export type BranchKind = keyof BranchKinds;

/** An entry in a block's list of branches. */
export type BranchSpec = {
  readonly [K in BranchKind]: BranchKinds[K] & {
    readonly kind: K;
    /** First value of the branch's scale (1). */
    readonly firstScale?: number;
    /** false: no norm of its own where the others have one. */
    readonly norm?: false;
  };
}[BranchKind];

/** A stage of a chain: a branch with a window of its own. */
export interface StageSpec {
  readonly stage: BranchSpec;
  readonly kernelSize: number;
  /** Channels out; the block's if not given, which the last stage has in any case. */
  readonly width?: number | undefined;
  /** A batch norm before the stage, padded so that it merges. */
  readonly norm?: boolean;
}

/** What a block tells all of its branches. */
export interface BuildContext {
  /** Multiplies the gain of every branch. */
  readonly gain: number;
  /** Settings of norms inside of branches. */
  readonly normOptions: BatchNorm2dOptions;
}

type Builder<K extends BranchKind> = (g: Geometry, options: BranchKinds[K], context: BuildContext) => Branch;

const builders: { readonly [K in BranchKind]: Builder<K> } = {
  origin: (g, options) => new OriginBranch(g, options),
  "1x1": (g, options) => new PointwiseBranch(g, options),
  average: (g, options) => new AverageBranch(g, options),
  prior: (g, options) => new PriorBranch(g, options),
  "1x1-kxk": (g, options) => new PointwiseFullBranch(g, { ...options, width: options.width ?? g.inChannels }),
  "1x1-1x1": (g, options) => new PointwiseProductBranch(g, options),
  "depthwise-separable": (g, options) => new DepthwiseSeparableBranch(g, options),
  identity: (g, options) => new ChannelwiseBranch(g, { ...options, window: "identity" }),
  pool: (g, options) => new ChannelwiseBranch(g, { ...options, window: "pool" }),
  "1xk": (g, options) => new SmallBranch(g, { name: "1xk", ...options, size: [1, g.kernelSize] }),
  kx1: (g, options) => new SmallBranch(g, { name: "kx1", ...options, size: [g.kernelSize, 1] }),
  small: (g, { size, ...options }) => new SmallBranch(g, { ...options, size: [size, size] }),
  fixed: (g, options) => new FixedFilterBranch(g, options),
  "near-identity": (g, options) => new NearIdentityBranch(g, options),
  chain: (g, { name = "chain", gain = 1, stages, mirrored = false }, { normOptions }) => {
    const context = { gain, normOptions };
    const geometries = stageGeometries(name, g, stages);
    return new ChainBranch(g, {
      name,
      mirrored,
      stages: stages.map(({ stage, norm }, i) => ({
        branch: buildBranch(geometries[i]!, stage, context),
        geometry: geometries[i]!,
        norm: norm ? new PaddedNorm(geometries[i]!.inChannels, context.normOptions) : undefined,
      })),
    });
  },
  sum: (g, { branches, gain = 1, ...options }, { normOptions }) =>
    new SumBranch(g, {
      ...options,
      branches: branches.map((spec) => ({
        branch: buildBranch(g, spec, { gain, normOptions }),
        firstScale: spec.firstScale ?? 1,
      })),
    }),
  custom: (g, { build }) => build(g),
};

/** All kinds of branches. */
export const branchKinds = Object.keys(builders) as readonly BranchKind[];

/** The name of a branch in its block: its own, or its kind. */
export const branchName = ({ name, kind, ...rest }: BranchSpec): string =>
  name ?? ("filter" in rest ? (rest.filter as string) : kind);

/** The branch of an entry. @throws OpError if it does not fit the geometry. */
export function buildBranch(g: Geometry, spec: BranchSpec, context: BuildContext): Branch {
  // The entry's kind chooses the builder, so its options are that builder's.
  const build = builders[spec.kind] as Builder<BranchKind>;
  return build(g, { ...spec, name: branchName(spec), gain: (spec.gain ?? 1) * context.gain } as never, context);
}
