// Branch: a linear map of feature maps. Every re-parameterization method of this package is a list of branches.
import type { Init } from "@orepa/autograd";
import { conv2d, mul, type Tensor } from "@orepa/tensor";
import { type Geometry, windowOptions } from "./geometry.ts";

/**
 * A linear map that a convolution can express. It knows two ways to be computed: as a kernel (online, merged with its
 * siblings before any picture is seen) and step by step on feature maps (offline, the oracle of the first way).
 */
export interface Branch {
  readonly name: string;
  /**
   * The kernel [O, I / groups, k, k] of the one convolution that equals this branch. `scale` [O, 1, 1, 1] or
   * [1, 1, 1, 1] multiplies it; the branch applies it to its smallest factor.
   */
  kernel(scale?: Tensor): Tensor;
  /** The bias [O] of that convolution; absent where the branch has none. */
  bias?(): Tensor;
  /** The branch applied to x [N, I, H, W] factor by factor: [N, O, H', W'] as the block's convolution gives. */
  forward(x: Tensor): Tensor;
}

/** `x` times `scale`, or `x` where the block has no scales. */
export const scaled = (x: Tensor, scale: Tensor | undefined): Tensor => (scale ? mul(x, scale) : x);

/** Each channel [N, C, H, W] through a filter of its own; `filters` is [C, 1, k, k]. */
export const perChannel = (x: Tensor, filters: Tensor, g: Geometry): Tensor =>
  conv2d(x, filters, { ...windowOptions(g), groups: filters.shape[0]! });

/** Uniform in +-gain * sqrt(6 / fan_in), fan_in = all dimensions but the first   (He et al. 2015, eq. 10, for a = 0). */
export function he(shape: readonly number[], gain = 1): Init {
  const fanIn = shape.slice(1).reduce((product, n) => product * n, 1);
  return { kind: "uniform", bound: gain * Math.sqrt(6 / fanIn) };
}
