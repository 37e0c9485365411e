// Branch "origin": the plain k x k kernel.
import { Parameter } from "@orepa/autograd";
import { cast, conv2d, type Tensor } from "@orepa/tensor";
import {
  type AdjointArguments,
  type Branch,
  type BranchGradients,
  type BranchOptions,
  dotPerOutput,
  he,
  scaled,
} from "../branch.ts";
import { type Geometry, windowOptions } from "../geometry.ts";

/** K[o,i,y,x] = W[o,i,y,x] */
export class OriginBranch implements Branch {
  readonly name: string;
  /** [O, I/G, k, k] */
  readonly weight: Parameter;
  readonly #geometry: Geometry;

  constructor(geometry: Geometry, { name = "origin", gain = 1 }: BranchOptions = {}) {
    const { inChannels, outChannels, kernelSize: k, groups } = geometry;
    const shape = [outChannels, inChannels / groups, k, k];
    this.name = name;
    this.weight = new Parameter(shape, he(shape, gain));
    this.#geometry = geometry;
  }

  get factors(): readonly Parameter[] {
    return [this.weight];
  }

  kernel(scale?: Tensor): Tensor {
    return scaled(this.weight.value, scale);
  }

  /** dW = v ct, dv[o] = <ct[o], W[o]> */
  adjoint({ ct, scale, factors: [weight] }: AdjointArguments): BranchGradients {
    return { factors: [scaled(ct, scale)], scale: dotPerOutput(ct, weight!) };
  }

  assign(kernel: Tensor): void {
    this.weight.assign(cast(kernel, this.weight.dtype));
  }

  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight.value, windowOptions(this.#geometry));
  }
}
