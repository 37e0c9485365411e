// Branch "average": a 1x1 convolution followed by the mean over the window.
import { Buffer, Parameter } from "@orepa/autograd";
import { conv2d, expand, full, mul, type Tensor } from "@orepa/tensor";
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

/** K[o,i,y,x] = a[o,i] / k^2. Zeros of the padding count in the mean. */
export class AverageBranch implements Branch {
  readonly name: string;
  /** a: [O, I/G, 1, 1] */
  readonly conv: Parameter;
  /** The averaging filter [k, k], 1/k^2 everywhere. */
  readonly filter: Buffer;
  readonly #geometry: Geometry;

  constructor(geometry: Geometry, { name = "average", gain = 1 }: BranchOptions = {}) {
    const { inChannels, outChannels, kernelSize: k, groups } = geometry;
    const shape = [outChannels, inChannels / groups, 1, 1];
    checkWindow(name, k);
    this.name = name;
    this.conv = new Parameter(shape, he(shape, gain));
    this.filter = new Buffer(full([k, k], 1 / k ** 2));
    this.#geometry = geometry;
  }

  get factors(): readonly Parameter[] {
    return [this.conv];
  }

  kernel(scale?: Tensor): Tensor {
    return mul(this.conv.value, scaled(this.filter.value, scale));
  }

  /** With f[o,i] = the mean of ct over the window. */
  adjoint(given: AdjointArguments): BranchGradients {
    return filteredGradients(windowSums(given.ct, this.filter.value), given);
  }

  forward(x: Tensor): Tensor {
    const { outChannels, kernelSize: k, groups } = this.#geometry;
    const filters = expand(this.filter.value, [outChannels, 1, k, k]);
    return perChannel(conv2d(x, this.conv.value, { groups }), filters, this.#geometry);
  }
}
