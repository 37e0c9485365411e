// Branch "prior": a 1x1 convolution followed by a fixed frequency filter per output channel.
import { Buffer, Parameter } from "@orepa/autograd";
import { conv2d, mul, type Tensor, unsqueeze } from "@orepa/tensor";
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
import { type FrequencyPrior, frequencyPrior } from "../frequency-prior.ts";
import { checkWindow, type Geometry } from "../geometry.ts";

/** K[o,i,y,x] = p[o,i] * F[o,y,x], with F from `frequencyPrior`. */
export class PriorBranch implements Branch {
  readonly name: string;
  /** p: [O, I/G, 1, 1] */
  readonly conv: Parameter;
  /** F: [O, k, k] */
  readonly filters: Buffer;
  readonly #geometry: Geometry;

  constructor(
    geometry: Geometry,
    {
      name = "prior",
      gain = 1,
      prior = "published",
    }: BranchOptions & { readonly prior?: FrequencyPrior | undefined } = {},
  ) {
    const { inChannels, outChannels, kernelSize, groups } = geometry;
    const shape = [outChannels, inChannels / groups, 1, 1];
    checkWindow(name, kernelSize);
    this.name = name;
    this.conv = new Parameter(shape, he(shape, gain));
    this.filters = new Buffer(frequencyPrior(prior, outChannels, kernelSize));
    this.#geometry = geometry;
  }

  get factors(): readonly Parameter[] {
    return [this.conv];
  }

  kernel(scale?: Tensor): Tensor {
    return mul(this.conv.value, scaled(unsqueeze(this.filters.value, 1), scale));
  }

  /** With f[o,i] = sum over y, x of ct[o,i,y,x] F[o,y,x]. */
  adjoint(given: AdjointArguments): BranchGradients {
    return filteredGradients(windowSums(given.ct, this.filters.value), given);
  }

  forward(x: Tensor): Tensor {
    const { groups } = this.#geometry;
    return perChannel(conv2d(x, this.conv.value, { groups }), unsqueeze(this.filters.value, 1), this.#geometry);
  }
}
