// Branch "depthwise-separable": a depthwise convolution that multiplies the channels, followed by a 1x1 convolution.
import { Parameter } from "@orepa/autograd";
import { add, conv2d, expand, mul, permute, reshape, split, type Tensor } from "@orepa/tensor";
import { type Branch, he, scaled } from "../branch.ts";
import { type Geometry, windowOptions } from "../geometry.ts";

/**
 * K[o,i,y,x] = sum_{e < E} P[r(o), E i + e] * D[E (g I/G + i) + e, y, x], where g is the group of o.
 *
 * Row order: output channel o = g O/G + j reads row r(o) = j G + g of P. With one group that is row o; with more it is
 * the order of published checkpoints, and training does not care.
 */
export class DepthwiseSeparableBranch implements Branch {
  readonly name = "depthwise-separable";
  /** D: [E I, 1, k, k], channel of x first, then e. */
  readonly depthwise: Parameter;
  /** P: [O, E I/G, 1, 1] */
  readonly pointwise: Parameter;
  readonly #geometry: Geometry;
  readonly #multiplier: number;

  constructor(geometry: Geometry, gain: number, multiplier: number) {
    const { inChannels, outChannels, kernelSize: k, groups } = geometry;
    const depthwise = [multiplier * inChannels, 1, k, k];
    const pointwise = [outChannels, (multiplier * inChannels) / groups, 1, 1];
    this.depthwise = new Parameter(depthwise, he(depthwise, Math.sqrt(gain)));
    this.pointwise = new Parameter(pointwise, he(pointwise, Math.sqrt(gain)));
    this.#geometry = geometry;
    this.#multiplier = multiplier;
  }

  /** E products of slices, added up: no tensor of E kernels ever exists, and all of it fuses with the sum of the branches. */
  kernel(scale?: Tensor): Tensor {
    const { inChannels, outChannels, kernelSize: k, groups } = this.#geometry;
    const [E, perGroup] = [this.#multiplier, inChannels / groups];
    const points = split(reshape(scaled(this.#rows(), scale), [outChannels, perGroup, E]), 1, 2);
    const windows = split(reshape(this.depthwise.value, [inChannels, E, k, k]), 1, 1);
    return points
      .map((point, e) =>
        mul(
          reshape(point, [outChannels, perGroup, 1, 1]),
          this.#forEachOutput(reshape(windows[e]!, [inChannels, k, k])),
        ),
      )
      .reduce((sum, term) => add(sum, term));
  }

  forward(x: Tensor): Tensor {
    const { inChannels, groups } = this.#geometry;
    const wide = conv2d(x, this.depthwise.value, { ...windowOptions(this.#geometry), groups: inChannels });
    return conv2d(wide, this.#rows(), { groups });
  }

  /** P in the order of the output channels. */
  #rows(): Tensor {
    const { outChannels, groups } = this.#geometry;
    const rows = this.pointwise.value;
    if (groups === 1) return rows;
    const byGroup = reshape(rows, [outChannels / groups, groups, rows.shape[1]!]);
    return reshape(permute(byGroup, [1, 0, 2]), rows.shape);
  }

  /** One window per input channel [I, k, k] to [O or 1, I/G, k, k]: each output channel sees those of its group. */
  #forEachOutput(windows: Tensor): Tensor {
    const { inChannels, outChannels, kernelSize: k, groups: G } = this.#geometry;
    const perGroup = inChannels / G;
    if (G === 1) return reshape(windows, [1, perGroup, k, k]);
    const grouped = reshape(windows, [G, 1, perGroup, k, k]);
    return reshape(expand(grouped, [G, outChannels / G, perGroup, k, k]), [outChannels, perGroup, k, k]);
  }
}
