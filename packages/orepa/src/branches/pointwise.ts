// Branch "1x1": a 1x1 convolution, that is a kernel with weights at its centre only.
import { Parameter } from "@orepa/autograd";
import { conv2d, mul, slice, type Tensor, tensor } from "@orepa/tensor";
import { type AdjointArguments, type Branch, type BranchGradients, filteredGradients, he, scaled } from "../branch.ts";
import { type Geometry, reach } from "../geometry.ts";

/** K[o,i,y,x] = q[o,i] where (y, x) is the centre, 0 elsewhere. */
export class PointwiseBranch implements Branch {
  readonly name = "1x1";
  /** q: [O, I/G, 1, 1] */
  readonly weight: Parameter;
  readonly factors: readonly Parameter[];
  readonly #geometry: Geometry;

  constructor(geometry: Geometry, gain = 1) {
    const { inChannels, outChannels, groups } = geometry;
    const shape = [outChannels, inChannels / groups, 1, 1];
    this.weight = new Parameter(shape, he(shape, gain));
    this.factors = [this.weight];
    this.#geometry = geometry;
  }

  /** A product with a mask rather than a padded copy: it fuses with the sum of the branches. */
  kernel(scale?: Tensor): Tensor {
    const weight = this.weight.value;
    return mul(weight, scaled(centre(this.#geometry.kernelSize, weight), scale));
  }

  /** With f[o,i] = ct at the centre. */
  adjoint(given: AdjointArguments): BranchGradients {
    const middle = (this.#geometry.kernelSize - 1) / 2;
    const row = slice(given.ct, 2, middle, middle + 1);
    return filteredGradients(slice(row, 3, middle, middle + 1), given);
  }

  /** The window's centre starts `reach - padding` pixels inside the picture; outside of it where that is negative. */
  forward(x: Tensor): Tensor {
    const { stride, padding, groups } = this.#geometry;
    const outside = padding - reach(this.#geometry);
    if (outside >= 0) return conv2d(x, this.weight.value, { stride, padding: outside, groups });
    const inner = [2, 3].reduce((t, dim) => slice(t, dim, -outside, t.shape[dim]! + outside), x);
    return conv2d(inner, this.weight.value, { stride, groups });
  }
}

const centre = (k: number, { dtype }: Tensor): Tensor =>
  tensor(
    Float64Array.from({ length: k * k }, (_, i) => Number(i === (k * k - 1) / 2)),
    { shape: [k, k], dtype },
  );
