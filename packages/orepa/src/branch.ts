// Branch: a linear map of feature maps. Every re-parameterization method of this package is a list of branches.
import type { Init, Mode, Parameter } from "@orepa/autograd";
import { add, conv2d, mul, reshape, split, sum, type Tensor } from "@orepa/tensor";
import { type Geometry, windowOptions } from "./geometry.ts";

/** What the gradients of a branch are made from. */
export interface AdjointArguments {
  /** Gradient of the branch's scaled kernel, [O, I / groups, k, k]. */
  readonly ct: Tensor;
  /** The scale that `kernel` was given. */
  readonly scale: Tensor | undefined;
  /** The values of the branch's factors, in their order. */
  readonly factors: readonly Tensor[];
}

export interface BranchGradients {
  /** One per factor, of its shape. */
  readonly factors: readonly Tensor[];
  /** Gradient of a scale per output channel, [O, 1, 1, 1]: the sum of ct times the kernel without its scale. */
  readonly scale: Tensor;
}

/**
 * A linear map that a convolution can express. It knows two ways to be computed: as a kernel (online, merged with its
 * siblings before any picture is seen) and step by step on feature maps (offline, the oracle of the first way).
 */
export interface Branch {
  readonly name: string;
  /** The trained Variables that its kernel is made of, beside constants; the kernel is linear in the last of them. */
  readonly factors: readonly Parameter[];
  /**
   * The kernel [O, I / groups, k, k] of the one convolution that equals this branch. `scale` [O, 1, 1, 1] or
   * [1, 1, 1, 1] multiplies it; the branch applies it where that is cheapest.
   */
  kernel(scale?: Tensor): Tensor;
  /**
   * The gradients of `kernel` in closed form, from the factors alone: nothing else needs to be kept for them. A branch without
   * it gets those of the ops in `kernel`.
   */
  adjoint?(given: AdjointArguments): BranchGradients;
  /** The bias [O] of that convolution in eval mode, before any scale; absent where the branch has no norms inside. */
  readonly bias?: (() => Tensor) | undefined;
  /**
   * Gives the factors values with which `kernel()` is this one; absent where a branch cannot be every kernel. A branch that is a sum
   * leaves about `share` of it to its side branches.
   */
  assign?(kernel: Tensor, share: number): void;
  /** The branch applied to x [N, I, H, W] factor by factor: [N, O, H', W'] as the block's convolution gives. */
  forward(x: Tensor, mode: Mode): Tensor;
}

/** What every branch may be told. */
export interface BranchOptions {
  /** Unique in its block: the first part of its keys in the state dict. */
  readonly name?: string;
  /** Multiplies the first values of the branch's kernel. */
  readonly gain?: number;
}

/** `x` times `scale`, or `x` where the block has no scales. */
export const scaled = (x: Tensor, scale: Tensor | undefined): Tensor => (scale ? mul(x, scale) : x);

/** The sum of one term per item, of at least one item. A term is made when its turn comes: only one lives beside the sum. */
export const addUp = <T>(items: readonly T[], term: (item: T, index: number) => Tensor): Tensor =>
  items.slice(1).reduce((sum, item, i) => add(sum, term(item, i + 1)), term(items[0]!, 0));

/** <a[o], b[o]> for each output channel o: [O, ...] and [O, ...] to [O, 1, ...]. */
export const dotPerOutput = (a: Tensor, b: Tensor): Tensor =>
  sum(
    mul(a, b),
    a.shape.flatMap((_, axis) => (axis > 0 ? [axis] : [])),
    { keepdim: true },
  );

/** f[o,i] = sum over y, x of ct[o,i,y,x] F[o,y,x], [O, I / groups, 1, 1]. F is [O, k, k] or [k, k]. */
export function windowSums(ct: Tensor, filters: Tensor): Tensor {
  const [O, perGroup, k] = ct.shape as [number, number, number];
  const terms = split(reshape(ct, [O, perGroup, k * k]), 1, 2);
  const taps = split(reshape(filters, [...filters.shape.slice(0, -2), 1, k * k]), 1, -1);
  return reshape(
    addUp(terms, (term, i) => mul(term, taps[i]!)),
    [O, perGroup, 1, 1],
  );
}

/**
 * Gradients of K[o,i,y,x] = v[o] p[o,i] F[o,y,x] with a fixed filter F, given f[o,i] = sum over y, x of ct F [O, I / groups, 1, 1]:
 * dp = v f, dv[o] = <f[o], p[o]>.
 */
export const filteredGradients = (f: Tensor, { scale, factors: [p] }: AdjointArguments): BranchGradients => ({
  factors: [scaled(f, scale)],
  scale: dotPerOutput(f, p!),
});

/** Each channel [N, C, H, W] through a filter of its own; `filters` is [C, 1, k, k]. */
export const perChannel = (x: Tensor, filters: Tensor, g: Geometry): Tensor =>
  conv2d(x, filters, { ...windowOptions(g), groups: filters.shape[0]! });

/** Uniform in +-gain * sqrt(6 / fan_in), fan_in = all dimensions but the first   (He et al. 2015, eq. 10, for a = 0). */
export function he(shape: readonly number[], gain = 1): Init {
  const fanIn = shape.slice(1).reduce((product, n) => product * n, 1);
  return { kind: "uniform", bound: gain * Math.sqrt(6 / fanIn) };
}
