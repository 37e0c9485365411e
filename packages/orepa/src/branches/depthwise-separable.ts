// Branch "depthwise-separable": a depthwise convolution that multiplies the channels, followed by a 1x1 convolution.
import { Parameter } from "@orepa/autograd";
import { conv2d, matmul, mul, permute, reshape, split, type Tensor, transpose } from "@orepa/tensor";
import {
  type AdjointArguments,
  addUp,
  type Branch,
  type BranchGradients,
  type BranchOptions,
  dotPerOutput,
  he,
  scaled,
} from "../branch.ts";
import { type Geometry, wholeNumber, windowOptions } from "../geometry.ts";

/**
 * K[o,i,y,x] = sum_{e < E} P[r(o), E i + e] * D[E (g I/G + i) + e, y, x], where g is the group of o.
 *
 * Row order: output channel o = g O/G + j reads row r(o) = j G + g of P. With one group that is row o; with more it is
 * the order of published checkpoints, and training does not care.
 */
export class DepthwiseSeparableBranch implements Branch {
  readonly name: string;
  /** D: [E I, 1, k, k], channel of x first, then e. */
  readonly depthwise: Parameter;
  /** P: [O, E I/G, 1, 1] */
  readonly pointwise: Parameter;
  readonly #geometry: Geometry;
  readonly #multiplier: number;

  constructor(
    geometry: Geometry,
    {
      name = "depthwise-separable",
      gain = 1,
      expand: multiplier = 8,
    }: BranchOptions & { readonly expand?: number } = {},
  ) {
    const { inChannels, outChannels, kernelSize: k, groups } = geometry;
    wholeNumber(name, "expand", multiplier, 1);
    this.name = name;
    const depthwise = [multiplier * inChannels, 1, k, k];
    const pointwise = [outChannels, (multiplier * inChannels) / groups, 1, 1];
    this.depthwise = new Parameter(depthwise, he(depthwise, Math.sqrt(gain)));
    this.pointwise = new Parameter(pointwise, he(pointwise, Math.sqrt(gain)));
    this.#geometry = geometry;
    this.#multiplier = multiplier;
  }

  get factors(): readonly Parameter[] {
    return [this.depthwise, this.pointwise];
  }

  /** E products of slices, added up: no tensor of E kernels ever exists, and all of it fuses with the sum of the branches. */
  kernel(scale?: Tensor): Tensor {
    const { inChannels, outChannels, kernelSize: k, groups: G } = this.#geometry;
    const [E, perGroup] = [this.#multiplier, inChannels / G];
    // One group needs no axis for it: its products then have the very shape of the kernel.
    const group = G === 1 ? [] : [G];
    const points = reshape(this.pointwise.value, [outChannels / G, ...group, perGroup, E, 1]);
    const windows = reshape(this.depthwise.value, [...group, perGroup, E, k, k]);
    const pointOf = split(G === 1 ? points : transpose(points, 0, 1), 1, -2);
    const windowOf = split(transpose(windows, -3, -4), 1, -4);
    const products = addUp(pointOf, (point, e) => mul(point, windowOf[e]!));
    return scaled(reshape(products, [outChannels, perGroup, k, k]), scale);
  }

  /**
   * H[o,i,e] = sum over y, x of ct[o,i,y,x] D[i,e,y,x]: dP = v H, dv[o] = <H[o], P[o]>, dD[i,e,y,x] = sum over o of v P[o,i,e] ct[o,i,y,x].
   * Two small products of matrices per input channel. H, P and v have P's own order of rows here.
   */
  adjoint({ ct, scale, factors: [depthwise, pointwise] }: AdjointArguments): BranchGradients {
    const { inChannels, outChannels, kernelSize: k, groups: G } = this.#geometry;
    const [E, perGroup, rows] = [this.#multiplier, inChannels / G, outChannels / G];
    const perInput = permute(reshape(ct, [G, rows, perGroup, k * k]), [0, 2, 1, 3]);
    const windows = reshape(depthwise!, [G, perGroup, E, k * k]);
    const v = scale && scale.size > 1 ? reordered(scale, G, rows) : scale;

    // dD first: v P then dies before H is made.
    const points = reshape(scaled(pointwise!, v), [rows, G, perGroup, E]);
    const dD = matmul(permute(points, [1, 2, 3, 0]), perInput);
    const H = reshape(permute(matmul(perInput, transpose(windows)), [2, 0, 1, 3]), pointwise!.shape);
    return {
      factors: [reshape(dD, depthwise!.shape), scaled(H, v)],
      scale: reordered(dotPerOutput(H, pointwise!), rows, G),
    };
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
}

/** Numbers [a b, 1, 1, 1] in the order of a table [a, b] read column by column. */
const reordered = (rows: Tensor, a: number, b: number): Tensor =>
  a === 1 || b === 1 ? rows : reshape(transpose(reshape(rows, [a, b])), rows.shape);
