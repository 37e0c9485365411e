// deployModel: every block of a trained network becomes one plain convolution, in one pass, with a report of what changed.
import { Conv2d, isMergeable, loadStateDict, type Mergeable, type Module, toDtype } from "@orepa/autograd";
import {
  abs,
  add,
  amax,
  cast,
  conv2d,
  div,
  Generator,
  mul,
  randn,
  reshape,
  type Shape,
  sizeOf,
  sqrt,
  sub,
  type Tensor,
} from "@orepa/tensor";
import type { LinearBlock } from "../block.ts";
import { DeployError, DeployedBlock, type DeployOptions, deploy } from "../deploy.ts";
import { flopsOf, inputShapes, type Network, parameterCount } from "./cost.ts";
import { type ConvNorm, findModules, isConvNorm, isLinearBlock, replaceModules } from "./replace.ts";

/** Parameters, and operations of one pass (two for a multiply-add): `before` trains and merges, `after` is deployed. */
export interface Costs {
  readonly parameters: { readonly before: number; readonly after: number };
  readonly flops: { readonly before: number; readonly after: number };
}

/** What became of one block. */
export interface BlockReport extends Costs {
  /** Where it stands in the network. */
  readonly path: string;
  /** What it was: a kind of block, or "Conv" for a convolution with its norm. */
  readonly kind: string;
  /** Largest difference from the block's output before the activation, relative to the largest output. */
  readonly deviation: number;
}

/** What became of a network. */
export interface ModelReport extends Costs {
  readonly blocks: readonly BlockReport[];
  /** The largest deviation of a block. */
  readonly deviation: number;
}

export interface DeployModelOptions extends Pick<DeployOptions, "tolerance" | "dtype"> {
  /** Shape of the input that operations are counted for: [N, C, H, W]. */
  readonly inputShape: Shape;
}

type Merged = (LinearBlock | (ConvNorm & Mergeable)) & Module;
const isMerged = (module: object): module is Merged =>
  isLinearBlock(module) || (isConvNorm(module) && isMergeable(module));

/**
 * Puts one plain convolution with bias in the place of every re-parameterized block and of every convolution with a norm, kernels
 * merged and norms folded in float64. It works in place, after all blocks were merged and checked; the activations stay.
 * A network that is deployed already is left as it is, with an empty report.
 *
 * @returns the network (another module where the network is itself a block) and the report.
 * @throws DeployError, naming the block, if one deviates by more than the tolerance; the network is then unchanged.
 * @example
 * const net = new ResNet({ depths: [1, 1, 1, 1], width: 0.125 }, { block: "orepa", small: true, classes: 10 });
 * const { report } = deployModel(net, { inputShape: [1, 3, 32, 32] });
 * report.blocks.length; // -> 12
 * report.parameters.after < report.parameters.before; // -> true
 */
export function deployModel<M extends Network>(
  model: M,
  { inputShape, ...options }: DeployModelOptions,
): { readonly model: M; readonly report: ModelReport } {
  const found = findModules(model, isMerged);
  const shapes = inputShapes(model, inputShape, found.values());
  const before = costs(model, inputShape);
  const deployed = [...found].map(([path, block]) => ({ path, block, plain: deployAt(path, block, options) }));
  const blocks = deployed.map(({ path, block, plain }): BlockReport => {
    // A block that the network never runs costs nothing.
    const shape = shapes.get(block) ?? [0, 0, 0, 0];
    const kind = isLinearBlock(block) ? block.kind : "Conv";
    return { path, kind, deviation: plain.deviation, ...compare(costs(block, shape), costs(plain, shape)) };
  });
  // The type is kept: what comes out of a module in the place of another is the same.
  const result = replaceModules(model, new Map(deployed.map(({ block, plain }) => [block, plain]))) as M;
  const deviation = Math.max(0, ...blocks.map((block) => block.deviation));
  return { model: result, report: { blocks, deviation, ...compare(before, costs(result, inputShape)) } };
}

interface Cost {
  readonly parameters: number;
  readonly flops: number;
}
const costs = (module: Network, shape: Shape): Cost => ({
  parameters: parameterCount(module),
  flops: shape.includes(0) ? 0 : flopsOf(module, shape),
});
const compare = (before: Cost, after: Cost): Costs => ({
  parameters: { before: before.parameters, after: after.parameters },
  flops: { before: before.flops, after: after.flops },
});

function deployAt(path: string, block: Merged, options: Omit<DeployModelOptions, "inputShape">): DeployedBlock {
  if (!isLinearBlock(block)) return deployPlain(path, block, options);
  try {
    return deploy(block, options);
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    throw new DeployError(`${path} (${block.kind})`, error.deviation, error.tolerance);
  }
}

const epsilon = { float32: 2 ** -23, float64: 2 ** -52 } as const;

/** A convolution with its norm as one convolution, compared on the single place of a picture of one window. */
function deployPlain(path: string, block: ConvNorm & Mergeable, { tolerance, dtype }: DeployOptions): DeployedBlock {
  const { weight, bias } = block.merge();
  const target = dtype ?? (block.conv.weight.dtype === "float64" ? "float64" : "float32");
  const conv = convolution(block.conv, { weight: cast(weight, target), bias: cast(bias, target) });
  const { kernelSize, dilation, groups, inChannels } = block.conv;
  const [height, width] = kernelSize.map((k, axis) => dilation[axis]! * (k - 1) + 1) as [number, number];
  const x = randn([1, inChannels, height, width], { generator: new Generator("deploy probe"), dtype: "float64" });
  const [kernel, shift] = [conv.weight.value, conv.bias!.value].map((t) => cast(t, "float64")) as [Tensor, Tensor];
  const got = conv2d(x, kernel, { bias: shift, dilation, groups });
  const y = conv2d(x, cast(block.conv.weight.value, "float64"), {
    ...(block.conv.bias && { bias: cast(block.conv.bias.value, "float64") }),
    ...{ dilation, groups },
  });
  const { bn } = block;
  const [gamma, beta, mean, variance] = [bn.weight, bn.bias, bn.running_mean, bn.running_var].map((v) =>
    reshape(cast(v.value, "float64"), [1, -1, 1, 1]),
  ) as [Tensor, Tensor, Tensor, Tensor];
  const expected = add(mul(div(sub(y, mean), sqrt(add(variance, bn.eps))), gamma), beta);
  const deviation = amax(abs(sub(got, expected))).item() / Math.max(amax(abs(expected)).item(), Number.MIN_VALUE);
  const allowed = tolerance ?? 16 * epsilon[target] * Math.sqrt(sizeOf(conv.weight.shape.slice(1)));
  // not "deviation > allowed": NaN must not pass
  if (!(deviation <= allowed)) throw new DeployError(`${path} (Conv)`, deviation, allowed);
  return new DeployedBlock(conv, block.act, deviation);
}

/** A convolution with the window of another. */
function convolution(like: Conv2d, { weight, bias }: { weight: Tensor; bias: Tensor }): Conv2d {
  const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups } = like;
  const conv = new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, dilation, groups, bias: true });
  toDtype(conv, weight.dtype);
  loadStateDict(
    conv,
    new Map([
      ["weight", weight],
      ["bias", bias],
    ]),
  );
  return conv;
}
