// Branch "1x1-1x1": two 1x1 convolutions, one of which starts as the identity and is trained like the other.
import { Parameter } from "@orepa/autograd";
import { conv2d, matmul, OpError, reshape, type Tensor, transpose } from "@orepa/tensor";
import {
  type AdjointArguments,
  type Branch,
  type BranchGradients,
  type BranchOptions,
  dotPerOutput,
  he,
  scaled,
} from "../branch.ts";
import { identityMatrix } from "../centred.ts";
import { type Geometry, windowOptions } from "../geometry.ts";

/**
 * K[o,i] = sum_r W2[o,r] W1[r,i]. With more channels out than in, W1 starts as the identity (t = I), otherwise W2 (t = O). Unlike in
 * branch "1x1-kxk", weight decay pulls that identity itself towards zero.
 */
export class PointwiseProductBranch implements Branch {
  readonly name: string;
  /** W1: [t, I/G, 1, 1] */
  readonly inner: Parameter;
  /** W2: [O, t/G, 1, 1] */
  readonly outer: Parameter;
  readonly #geometry: Geometry;

  /** @throws OpError unless the kernel is 1x1. */
  constructor(geometry: Geometry, { name = "1x1-1x1", gain = 1 }: BranchOptions = {}) {
    const { inChannels, outChannels, kernelSize, groups } = geometry;
    if (kernelSize !== 1) throw new OpError(name, "a kernelSize of 1", `${kernelSize}`);
    const expands = outChannels > inChannels;
    const width = expands ? inChannels : outChannels;
    const factor = (rows: number, columns: number, identity: boolean): Parameter => {
      const shape = [rows, columns, 1, 1];
      return new Parameter(
        shape,
        identity ? { kind: "values", values: identityMatrix(rows, columns) } : he(shape, gain),
      );
    };
    this.name = name;
    this.inner = factor(width, inChannels / groups, expands);
    this.outer = factor(outChannels, width / groups, !expands);
    this.#geometry = geometry;
  }

  get factors(): readonly Parameter[] {
    return [this.inner, this.outer];
  }

  kernel(scale?: Tensor): Tensor {
    return scaled(this.#kernel(matmul(this.#byGroup(this.outer.value), this.#byGroup(this.inner.value))), scale);
  }

  /** U = ct W1^T: dW2 = v U, dv[o] = <U[o], W2[o]>, dW1 = (v W2)^T ct. */
  adjoint({ ct, scale, factors: [inner, outer] }: AdjointArguments): BranchGradients {
    const kernel = this.#byGroup(ct);
    const U = this.#kernel(matmul(kernel, transpose(this.#byGroup(inner!))));
    const dInner = matmul(transpose(this.#byGroup(scaled(outer!, scale))), kernel);
    return { factors: [reshape(dInner, inner!.shape), scaled(U, scale)], scale: dotPerOutput(U, outer!) };
  }

  forward(x: Tensor): Tensor {
    const { groups } = this.#geometry;
    // The stride and a padding of zeros commute with a 1x1 convolution.
    return conv2d(conv2d(x, this.inner.value, windowOptions(this.#geometry)), this.outer.value, { groups });
  }

  /** [O, C, 1, 1] to [G, O/G, C] */
  #byGroup(t: Tensor): Tensor {
    const { groups } = this.#geometry;
    return reshape(t, [groups, t.shape[0]! / groups, t.shape[1]!]);
  }

  /** The way back. */
  #kernel(t: Tensor): Tensor {
    return reshape(t, [t.shape[0]! * t.shape[1]!, t.shape[2]!, 1, 1]);
  }
}
