// deploy: a trained block becomes one plain convolution, and the two are compared before anybody relies on it.
import { Conv2d, type Mode, type Module, namedVariables } from "@orepa/autograd";
import { cast, type Dtype, Generator, randn, type Tensor } from "@orepa/tensor";
import type { LinearBlock } from "./block.ts";
import { type Geometry, windowOptions } from "./geometry.ts";
import { toOffline } from "./offline.ts";

/** The deployed form differs from the block by more than the tolerance. */
export class DeployError extends Error {
  override readonly name = "DeployError";
  /** Largest difference of the outputs, relative to the largest output. */
  readonly deviation: number;
  readonly tolerance: number;

  /** `what` names the block. */
  constructor(what: string, deviation: number, tolerance: number) {
    super(
      Number.isFinite(deviation)
        ? `deploy: expected the plain convolution of ${what} to differ by at most ${tolerance.toExponential(2)} of the largest output, ` +
            `got ${deviation.toExponential(2)} (is a running variance close to 0, or the block not linear?)`
        : `deploy: expected finite outputs of ${what}, got ${deviation} (its weights or running statistics are not all finite)`,
    );
    this.deviation = deviation;
    this.tolerance = tolerance;
  }
}

export interface DeployOptions {
  /** Largest allowed deviation; by default 16 * epsilon of the kernel's dtype * sqrt(terms per output). */
  readonly tolerance?: number;
  /** Input [N, I, H, W] to compare on; by default normal noise that has a border and an inside. */
  readonly probe?: Tensor;
  /** Dtype of the convolution; the block's if not given. The merge itself is always in float64. */
  readonly dtype?: "float32" | "float64";
}

/** A plain convolution with bias in place of a block, followed by the block's activation. */
export class DeployedBlock implements Module {
  readonly conv: Conv2d;
  readonly act: Module;
  /** Largest difference from the block's output before the activation, relative to the largest output. */
  readonly deviation: number;

  constructor(conv: Conv2d, act: Module, deviation: number) {
    this.conv = conv;
    this.act = act;
    this.deviation = deviation;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    return this.act.forward(this.conv.forward(x), mode);
  }
}

const epsilon = { float32: 2 ** -23, float64: 2 ** -52 } as const;

/**
 * The block as one plain convolution: kernels merged and norms folded in float64, rounded once. The result is checked in float64
 * against the block computed branch by branch in eval mode. A block that is deployed already is returned as it is.
 *
 * @throws DeployError if the largest deviation exceeds the tolerance or is not a number.
 */
export function deploy(block: LinearBlock | DeployedBlock, options: DeployOptions = {}): DeployedBlock {
  if (block instanceof DeployedBlock) return block;
  const shape = block.geometry;
  const exact = block.linearCopy();
  const { weight, bias } = exact.merge();
  const { dtype = floatOf(block), probe = noise(shape) } = options;
  const { inChannels, groups, kernelSize } = shape;
  const { tolerance = 16 * epsilon[dtype] * Math.sqrt((inChannels / groups) * kernelSize ** 2) } = options;

  const conv = plainConv(shape, weight, bias, dtype);
  const rounded = plainConv(shape, conv.weight.value, conv.bias!.value, "float64");
  const x = cast(probe, "float64");
  const deviation = relativeDeviation(rounded.forward(x), toOffline(exact).forward(x, "eval"));
  if (!(deviation <= tolerance)) throw new DeployError(block.kind, deviation, tolerance);
  return new DeployedBlock(conv, block.act, deviation);
}

function plainConv(g: Geometry, weight: Tensor, bias: Tensor, dtype: Dtype): Conv2d {
  const conv = new Conv2d(g.inChannels, g.outChannels, g.kernelSize, { ...windowOptions(g), bias: true });
  for (const [variable, value] of [
    [conv.weight, weight],
    [conv.bias!, bias],
  ] as const) {
    variable.to(dtype);
    variable.assign(cast(value, dtype));
  }
  return conv;
}

/** The dtype of the block's Variables. */
const floatOf = (block: LinearBlock): "float32" | "float64" =>
  [...namedVariables(block).values()].some(({ dtype }) => dtype === "float64") ? "float64" : "float32";

/** Two pictures large enough that some windows touch no border. */
function noise({ inChannels, kernelSize, dilation, stride, padding }: Geometry): Tensor {
  const side = dilation * (kernelSize - 1) + 1 + 2 * stride + padding;
  return randn([2, inChannels, side, side], { generator: new Generator("deploy probe"), dtype: "float64" });
}

/** max |a - b| / max |b|; not a number if any value is not. */
function relativeDeviation(a: Tensor, b: Tensor): number {
  const [left, right] = [a.toTypedArray(), b.toTypedArray()];
  let [difference, scale] = [0, 0];
  for (let i = 0; i < right.length; i++) {
    const d = Math.abs(left[i]! - right[i]!);
    if (!Number.isFinite(d)) return Number.NaN;
    difference = Math.max(difference, d);
    scale = Math.max(scale, Math.abs(right[i]!));
  }
  return difference === 0 ? 0 : difference / scale;
}
