// Branch "1x1": a 1x1 convolution, that is a kernel with weights at its centre only.
import { Parameter } from "@orepa/autograd";
import { mul, slice, type Tensor } from "@orepa/tensor";
import {
  type AdjointArguments,
  type Branch,
  type BranchGradients,
  type BranchOptions,
  filteredGradients,
  he,
  scaled,
} from "../branch.ts";
import { centre, convCentred } from "../centred.ts";
import type { Geometry } from "../geometry.ts";

/** K[o,i,y,x] = q[o,i] where (y, x) is the centre, 0 elsewhere. */
export class PointwiseBranch implements Branch {
  readonly name: string;
  /** q: [O, I/G, 1, 1] */
  readonly weight: Parameter;
  readonly #geometry: Geometry;

  constructor(geometry: Geometry, { name = "1x1", gain = 1 }: BranchOptions = {}) {
    const { inChannels, outChannels, groups } = geometry;
    const shape = [outChannels, inChannels / groups, 1, 1];
    this.name = name;
    this.weight = new Parameter(shape, he(shape, gain));
    this.#geometry = geometry;
  }

  get factors(): readonly Parameter[] {
    return [this.weight];
  }

  /** A product with a mask rather than a padded copy: it fuses with the sum of the branches. */
  kernel(scale?: Tensor): Tensor {
    const weight = this.weight.value;
    return mul(weight, scaled(centre(this.#geometry.kernelSize, weight.dtype), scale));
  }

  /** With f[o,i] = ct at the centre. */
  adjoint(given: AdjointArguments): BranchGradients {
    const middle = (this.#geometry.kernelSize - 1) / 2;
    const row = slice(given.ct, 2, middle, middle + 1);
    return filteredGradients(slice(row, 3, middle, middle + 1), given);
  }

  forward(x: Tensor): Tensor {
    return convCentred(x, this.weight.value, this.#geometry);
  }
}
