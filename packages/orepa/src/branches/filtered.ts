// What branches "average" and "fixed" are: a 1x1 convolution followed by one filter for all channels.
import { Buffer, Parameter } from "@orepa/autograd";
import { conv2d, expand, mul, type Tensor } from "@orepa/tensor";
import {
  type AdjointArguments,
  type Branch,
  type BranchGradients,
  type BranchOptions,
  filteredGradients,
  he,
  perChannel,
  scaled,
  windowSums,
} from "../branch.ts";
import { checkWindow, type Geometry } from "../geometry.ts";

/** K[o,i,y,x] = p[o,i] F[y,x] with a fixed F. Zeros of the padding pass through the filter like any others. */
export class FilteredBranch implements Branch {
  readonly name: string;
  /** p: [O, I/G, 1, 1] */
  readonly conv: Parameter;
  /** F: [k, k] */
  readonly filter: Buffer;
  readonly #geometry: Geometry;

  /** `filter` is of shape [k, k]. @throws OpError for a 1x1 kernel. */
  constructor(geometry: Geometry, filter: (k: number) => Tensor, { name, gain }: Required<BranchOptions>) {
    const { inChannels, outChannels, kernelSize: k, groups } = geometry;
    checkWindow(name, k);
    const shape = [outChannels, inChannels / groups, 1, 1];
    this.name = name;
    this.conv = new Parameter(shape, he(shape, gain));
    this.filter = new Buffer(filter(k));
    this.#geometry = geometry;
  }

  get factors(): readonly Parameter[] {
    return [this.conv];
  }

  kernel(scale?: Tensor): Tensor {
    return mul(this.conv.value, scaled(this.filter.value, scale));
  }

  /** With f[o,i] = sum over y, x of ct[o,i,y,x] F[y,x]. */
  adjoint(given: AdjointArguments): BranchGradients {
    return filteredGradients(windowSums(given.ct, this.filter.value), given);
  }

  forward(x: Tensor): Tensor {
    const { outChannels, kernelSize: k, groups } = this.#geometry;
    const filters = expand(this.filter.value, [outChannels, 1, k, k]);
    return perChannel(conv2d(x, this.conv.value, { groups }), filters, this.#geometry);
  }
}
