// Branch "1x1-kxk": a 1x1 convolution that starts as the identity, followed by a k x k convolution.
import { Buffer, Parameter } from "@orepa/autograd";
import { add, conv2d, matmul, permute, reshape, split, sum, type Tensor, transpose } from "@orepa/tensor";
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
import { identityMatrix } from "../centred.ts";
import { checkWidth, type Geometry, windowOptions } from "../geometry.ts";

export interface PointwiseFullOptions extends BranchOptions {
  /** Channels between the two convolutions: t. */
  readonly width: number;
}

/**
 * K[o,i,y,x] = sum_r W[o,r,y,x] * (B + E)[g t/G + r, i], where g is the group of o and t the inner width.
 * B starts at zero and is trained; E is fixed, E[r, r mod I/G] = 1. Weight decay so pulls B + E towards the identity.
 */
export class PointwiseFullBranch implements Branch {
  readonly name: string;
  /** B: [t, I/G, 1, 1] */
  readonly inner: Parameter;
  /** E: [t, I/G, 1, 1] */
  readonly identity: Buffer;
  /** W: [O, t/G, k, k] */
  readonly outer: Parameter;
  readonly #geometry: Geometry;

  constructor(geometry: Geometry, { name = "1x1-kxk", gain = 1, width }: PointwiseFullOptions) {
    const { inChannels, outChannels, kernelSize: k, groups } = geometry;
    checkWidth(name, width, groups);
    const perGroup = inChannels / groups;
    this.name = name;
    const shape = [outChannels, width / groups, k, k];
    this.inner = new Parameter([width, perGroup, 1, 1], { kind: "constant", value: 0 });
    this.identity = new Buffer(identityMatrix(width, perGroup));
    this.outer = new Parameter(shape, he(shape, gain));
    this.#geometry = geometry;
  }

  get factors(): readonly Parameter[] {
    return [this.inner, this.outer];
  }

  /** One product of matrices [O/G, t/G] [t/G, I/G] per group and place in the window. */
  kernel(scale?: Tensor): Tensor {
    const pointwise = this.#byGroup(this.#pointwise());
    return scaled(this.#rowMajor(matmul(this.#spatialMajor(this.outer.value), pointwise)), scale);
  }

  /**
   * With A = B + E: U = ct A^T, dW = v U, dv[o] = <U[o], W[o]>, dB = sum over o, y, x of (v W)^T ct. So W A need not be kept. A^T is
   * added up anew: as a transpose of the A of `kernel` it would keep that alive. dB comes first: v W then dies before U is made.
   */
  adjoint({ ct, scale, factors: [inner, outer] }: AdjointArguments): BranchGradients {
    const spatialMajor = this.#spatialMajor(ct);
    const dB = sumOfProducts(this.#spatialMajor(scaled(outer!, scale)), spatialMajor);
    const transposed = add(transpose(this.#byGroup(inner!)), transpose(this.#byGroup(this.identity.value)));
    const U = this.#rowMajor(matmul(spatialMajor, transposed));
    return { factors: [reshape(dB, inner!.shape), scaled(U, scale)], scale: dotPerOutput(U, outer!) };
  }

  forward(x: Tensor): Tensor {
    const { groups } = this.#geometry;
    return conv2d(conv2d(x, this.#pointwise(), { groups }), this.outer.value, windowOptions(this.#geometry));
  }

  #pointwise(): Tensor {
    return add(this.inner.value, this.identity.value);
  }

  /** [t, I/G, 1, 1] to [G, t/G, I/G] */
  #byGroup(pointwise: Tensor): Tensor {
    const { groups: G } = this.#geometry;
    return reshape(pointwise, [G, pointwise.shape[0]! / G, pointwise.shape[1]!]);
  }

  /** [O, C, k, k] to [k^2, G, O/G, C]: a view that a product of matrices reads in place. */
  #spatialMajor(kernel: Tensor): Tensor {
    const { outChannels, groups: G, kernelSize: k } = this.#geometry;
    return permute(reshape(kernel, [G, outChannels / G, kernel.shape[1]!, k * k]), [3, 0, 1, 2]);
  }

  /** The way back, a view too: [k^2, G, O/G, C] to [O, C, k, k]. */
  #rowMajor(kernel: Tensor): Tensor {
    const { outChannels, kernelSize: k } = this.#geometry;
    return permute(reshape(kernel, [k, k, outChannels, kernel.shape[3]!]), [2, 3, 0, 1]);
  }
}

/** Elements of the products of all places from which they are added up row by row of the window: a part of a kernel lives instead of a whole. */
const LARGE = 2 ** 20;

/** Sum over the k^2 places of a[place]^T b[place], [k^2, G, O/G, C] and [k^2, G, O/G, D] to [1, G, C, D]. */
function sumOfProducts(a: Tensor, b: Tensor): Tensor {
  const [places, G, , C] = a.shape as [number, number, number, number];
  const D = b.shape[3]!;
  const product = (x: Tensor, y: Tensor): Tensor => matmul(transpose(x), y);
  if (places * G * C * D < LARGE) return addUp(split(product(a, b), 1), (place) => place);
  const row = Math.sqrt(places);
  const rowsOfB = split(b, row);
  return addUp(split(a, row), (part, i) => sum(product(part, rowsOfB[i]!), [0], { keepdim: true }));
}
