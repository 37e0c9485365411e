// fromConv: a block that starts as exactly the function of a convolution, with a gradient for every branch.
import {
  type BatchNorm2d,
  Conv2d,
  foldBatchNorm,
  initialize,
  type Module,
  namedModules,
  namedParameters,
  toDtype,
} from "@orepa/autograd";
import {
  abs,
  add,
  cast,
  div,
  full,
  greater,
  maximum,
  mean,
  mul,
  OpError,
  reshape,
  sqrt,
  square,
  sub,
  type Tensor,
  where,
  zeros,
} from "@orepa/tensor";
import { type BlockName, createBlock, withOrigin } from "./definitions.ts";
import type { DeployedBlock } from "./deploy.ts";
import type { Geometry } from "./geometry.ts";
import { assignSum, shrink, startScales, wake } from "./remainder.ts";
import type { BlockDefinition, BlockOptions, RepBlock } from "./rep-block.ts";

/** A convolution with an optional norm and activation behind it; blocks of YOLO11 and the like fit as they are. */
export interface PlainConv {
  readonly conv: Conv2d;
  readonly bn?: BatchNorm2d | undefined;
  readonly act?: Module | undefined;
}

/** How the branches start. */
export interface StartOptions {
  /** Size of the other branches together, relative to the whole (0.1): the main branch takes what they leave. */
  readonly share?: number;
  /** Seed of the first values (0). */
  readonly seed?: number;
  /**
   * Input [N, I, H, W] such as the convolution gets. Norms that the convolution does not have start with its statistics, so that the
   * block is about the same function in train mode too; without it with mean 0 and variance 1.
   */
  readonly probe?: Tensor;
}

/** Options of the block, and how its branches start. */
export interface FromConvOptions extends BlockOptions, StartOptions {}

/**
 * A block that in eval mode is the convolution with its norm and activation, up to rounding. Every branch has a gradient from the first
 * step. Where the block has its only norm after the sum it is the same function in train mode as well.
 *
 * Settings of the norm and the activation are the source's if not given. A block that is nothing but factors (a deep stem) gets a plain
 * kernel beside them: see `withOrigin`.
 *
 * @throws OpError if the chosen branches do not allow for any kernel, or there is no norm for the bias.
 * @example
 * const conv = new Conv2d(8, 8, 3, { padding: 1 });
 * fromConv("orepa", { conv }).forward(zeros([1, 8, 4, 4]), "eval").shape; // -> [1, 8, 4, 4]
 */
export function fromConv(
  block: BlockName | BlockDefinition,
  source: PlainConv,
  { share, seed, probe, ...options }: FromConvOptions = {},
): RepBlock {
  const { conv, bn, act } = source;
  const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups } = geometryOf(conv);
  const whole: BlockOptions = {
    ...{ kernelSize, stride, padding, dilation, groups, activation: act ?? false },
    ...(bn ? { eps: bn.eps, momentum: bn.momentum } : {}),
    ...options,
  };
  const plain = createBlock(block, inChannels, outChannels, whole);
  const able = options.branches !== undefined || plain.branches.some(({ assign }) => assign);
  const made = able ? plain : createBlock(withOrigin(block), inChannels, outChannels, whole);
  const start = { ...(share === undefined ? {} : { share }), ...(seed === undefined ? {} : { seed }) };
  return startFromConv(toDtype(made, conv.weight.dtype), source, probe ? { ...start, probe } : start);
}

/**
 * `fromConv` of the one convolution that a block was deployed as: training goes on from there.
 * @throws OpError as `fromConv` does.
 */
export const fromDeployed = (
  block: BlockName | BlockDefinition,
  deployed: DeployedBlock | Conv2d,
  options: FromConvOptions = {},
): RepBlock => fromConv(block, deployed instanceof Conv2d ? { conv: deployed } : deployed, options);

/**
 * `fromConv` in place: gives the Variables of a block their values, and returns it. Its activation stays as it is.
 * @throws OpError if the block has no branch that can be any kernel, or no norm for the bias, or another geometry than the convolution.
 */
export function startFromConv(block: RepBlock, source: PlainConv, options: StartOptions = {}): RepBlock {
  const { conv, bn } = source;
  const { share = 0.1, seed = 0, probe } = options;
  checkFits(block.geometry, geometryOf(conv));
  const branches = Object.fromEntries(block.branches.map((branch) => [branch.name, branch]));
  initialize(branches, seed);
  for (const [key, scales] of namedParameters(branches)) if (key.endsWith("vector")) wake(scales);
  if (block.norms) startOffline(block, source, { share, probe });
  else if (block.bn) {
    assignSum(block, cast(conv.weight.value, block.bn.weight.dtype), share);
    if (bn) copyNorm(block.bn, bn, conv.bias?.value);
    else {
      if (probe) calibrate(block, probe);
      passThrough(block.bn, conv.bias?.value);
    }
  } else {
    if (bn || conv.bias) throw new OpError("fromConv", "a norm that takes the bias", "a block without norms");
    assignSum(block, cast(conv.weight.value, block.kernel().dtype), share);
  }
  return block;
}

/** Norms after branches: those of the other branches get small weights, the anchor's takes weight and bias that are left. */
function startOffline(
  block: RepBlock,
  { conv, bn }: PlainConv,
  { share, probe }: { readonly share: number; readonly probe: Tensor | undefined },
): void {
  const { branches, norms } = block;
  const anchor = startScales(block);
  const main = norms![anchor];
  const size = (share * (bn ? meanAbs(bn.weight.value) || 1 : 1)) / Math.max(1, branches.length - 1);
  for (const [i, branch] of branches.entries()) {
    if (i === anchor) continue;
    const norm = norms![i];
    if (norm) norm.weight.assign(full(norm.weight.shape, size, { dtype: norm.weight.dtype }));
    else if (branch.factors.length > 0) shrink(block, i, size * meanAbs(conv.weight.value));
  }
  const whole = bn ? foldBatchNorm(conv.weight.value, conv.bias?.value, bn) : unfolded(conv);
  branches[anchor]!.assign!(conv.weight.value, share);
  for (let round = 0; round < (probe ? CALIBRATIONS : 1); round++) {
    if (probe) calibrate(block, probe);
    if (main && bn && !probe) copyNorm(main, bn, conv.bias?.value);
    else if (main) passThrough(main, conv.bias?.value);
    if (main) keepFromZero(main);
    if (block.bn && bn && !probe) {
      block.bn.running_mean.assign(bn.bias.value);
      block.bn.running_var.assign(square(bn.weight.value));
    }
    if (block.bn) passThrough(block.bn, undefined);
    settle(block, { anchor, whole, share });
  }
}

/** Statistics of side branches decide what the anchor's kernel is, which decides its statistics, which decide those of the sum. */
const CALIBRATIONS = 3;

/** Gives the anchor, its norm too, what the other branches leave of the whole convolution. */
function settle(
  block: RepBlock,
  { anchor, whole, share }: { readonly anchor: number; readonly whole: Folded; readonly share: number },
): void {
  const rest = block.branches.reduce((left, _, i) => {
    if (i === anchor) return left;
    const { weight, bias } = block.mergedBranch(i);
    return { weight: sub(left.weight, weight), bias: sub(left.bias, bias) };
  }, whole);
  const main = block.norms![anchor];
  const assign = (kernel: Tensor) =>
    block.branches[anchor]!.assign!(cast(kernel, block.branches[anchor]!.factors[0]!.dtype), share);
  if (!main) {
    assign(rest.weight);
    if (block.bn) block.bn.bias.assign(cast(add(block.bn.bias.value, rest.bias), block.bn.bias.dtype));
    return;
  }
  const [gamma, mu, variance] = [main.weight, main.running_mean, main.running_var].map((v) =>
    cast(v.value, "float64"),
  ) as [Tensor, Tensor, Tensor];
  const gain = div(gamma, sqrt(add(variance, main.eps)));
  assign(div(rest.weight, reshape(gain, [-1, 1, 1, 1])));
  main.bias.assign(cast(add(rest.bias, mul(mu, gain)), main.bias.dtype));
}

interface Folded {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

const unfolded = ({ weight, bias, outChannels }: Conv2d): Folded => ({
  weight: cast(weight.value, "float64"),
  bias: bias ? cast(bias.value, "float64") : zeros([outChannels], { dtype: "float64" }),
});

/** The other norm's function of x + bias, whatever the two add to the variance. */
function copyNorm(norm: BatchNorm2d, other: BatchNorm2d, bias: Tensor | undefined): void {
  const { dtype } = norm.weight;
  const variance = other.running_var.value;
  const ratio = sqrt(div(add(variance, norm.eps), add(variance, other.eps)));
  norm.weight.assign(cast(norm.eps === other.eps ? other.weight.value : mul(other.weight.value, ratio), dtype));
  norm.bias.assign(cast(other.bias.value, dtype));
  norm.running_var.assign(cast(variance, dtype));
  norm.running_mean.assign(cast(bias ? sub(other.running_mean.value, bias) : other.running_mean.value, dtype));
}

/** Weight and bias with which a norm adds `bias` and changes nothing else, in eval mode. */
function passThrough(norm: BatchNorm2d, bias: Tensor | undefined): void {
  const { dtype } = norm.weight;
  norm.weight.assign(sqrt(add(norm.running_var.value, norm.eps)));
  norm.bias.assign(bias ? add(norm.running_mean.value, cast(bias, dtype)) : norm.running_mean.value);
}

/** A weight of 0 would leave the branch without a kernel to take. */
function keepFromZero({ weight }: BatchNorm2d): void {
  const least = 0.01 * (meanAbs(weight.value) || 1);
  weight.assign(where(greater(abs(weight.value), least), weight.value, maximum(abs(weight.value), least)));
}

/** Running statistics of all norms become those of the probe. */
function calibrate(block: RepBlock, probe: Tensor): void {
  const norms = [...namedModules(block)].flatMap(([, module]) => (isNorm(module) ? [module] : []));
  const before = norms.map(({ running_mean, running_var }) => [running_mean.value, running_var.value] as const);
  block.forward(cast(probe, block.branches[0]!.kernel().dtype), "train");
  for (const [i, { running_mean, running_var, momentum }] of norms.entries())
    for (const [n, running] of [running_mean, running_var].entries())
      running.assign(div(sub(running.value, mul(before[i]![n]!, 1 - momentum)), momentum));
}

const isNorm = (module: object): module is BatchNorm2d => "running_mean" in module && "momentum" in module;

const meanAbs = (x: Tensor): number => mean(abs(x)).item();

/** The geometry of a convolution. @throws OpError if it is not square. */
function geometryOf(conv: Conv2d): Geometry {
  const { inChannels, outChannels, groups } = conv;
  const side = (name: "kernelSize" | "stride" | "padding" | "dilation"): number => {
    const [rows, columns] = conv[name];
    if (rows !== columns) throw new OpError("fromConv", `the same ${name} on both axes`, `${rows}, ${columns}`);
    return rows;
  };
  return {
    ...{ inChannels, outChannels, groups },
    ...{ kernelSize: side("kernelSize"), stride: side("stride"), padding: side("padding"), dilation: side("dilation") },
  };
}

function checkFits(block: Geometry, conv: Geometry): void {
  for (const name of Object.keys(block) as (keyof Geometry)[])
    if (block[name] !== conv[name])
      throw new OpError("fromConv", `a convolution with ${name} ${block[name]}`, `${conv[name]}`);
}
