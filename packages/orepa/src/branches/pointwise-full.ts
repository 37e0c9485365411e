// Branch "1x1-kxk": a 1x1 convolution that starts as the identity, followed by a k x k convolution.
import { Buffer, Parameter } from "@orepa/autograd";
import { add, conv2d, matmul, permute, reshape, type Tensor, tensor } from "@orepa/tensor";
import { type Branch, he, scaled } from "../branch.ts";
import { type Geometry, windowOptions } from "../geometry.ts";

/**
 * K[o,i,y,x] = sum_r W[o,r,y,x] * (B + E)[g t/G + r, i], where g is the group of o and t the inner width.
 * B starts at zero and is trained; E is fixed, E[r, r mod I/G] = 1. Weight decay so pulls B + E towards the identity.
 */
export class PointwiseFullBranch implements Branch {
  readonly name = "1x1-kxk";
  /** B: [t, I/G, 1, 1] */
  readonly inner: Parameter;
  /** E: [t, I/G, 1, 1] */
  readonly identity: Buffer;
  /** W: [O, t/G, k, k] */
  readonly outer: Parameter;
  readonly #geometry: Geometry;

  constructor(geometry: Geometry, gain: number, width: number) {
    const { inChannels, outChannels, kernelSize: k, groups } = geometry;
    const perGroup = inChannels / groups;
    const shape = [outChannels, width / groups, k, k];
    this.inner = new Parameter([width, perGroup, 1, 1], { kind: "constant", value: 0 });
    this.identity = new Buffer(identity(width, perGroup));
    this.outer = new Parameter(shape, he(shape, gain));
    this.#geometry = geometry;
  }

  /** One product of matrices [O k^2, t] [t, I] per group. */
  kernel(scale?: Tensor): Tensor {
    const { inChannels, outChannels, kernelSize: k, groups: G } = this.#geometry;
    const [width, perGroup] = [this.inner.shape[0]!, inChannels / G];
    const rows = reshape(permute(this.outer.value, [0, 2, 3, 1]), [G, (outChannels / G) * k * k, width / G]);
    const inner = reshape(this.#pointwise(), [G, width / G, perGroup]);
    const spatialMajor = reshape(matmul(rows, inner), [outChannels, k, k, perGroup]);
    return scaled(permute(spatialMajor, [0, 3, 1, 2]), scale);
  }

  forward(x: Tensor): Tensor {
    const { groups } = this.#geometry;
    return conv2d(conv2d(x, this.#pointwise(), { groups }), this.outer.value, windowOptions(this.#geometry));
  }

  #pointwise(): Tensor {
    return add(this.inner.value, this.identity.value);
  }
}

const identity = (rows: number, columns: number): Tensor => {
  const values = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) values[r * columns + (r % columns)] = 1;
  return tensor(values, { shape: [rows, columns, 1, 1] });
};
