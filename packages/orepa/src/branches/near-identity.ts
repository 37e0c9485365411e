// Branch "near-identity": a 1x1 convolution that starts as the identity, the first stage of a chain.
import { Buffer, Parameter } from "@orepa/autograd";
import { add, conv2d, OpError, type Tensor } from "@orepa/tensor";
import { type Branch, type BranchOptions, scaled } from "../branch.ts";
import { identityMatrix } from "../centred.ts";
import { type Geometry, windowOptions } from "../geometry.ts";

/** K[o,i] = (B + E)[o,i]: B starts at zero and is trained, E[o, o mod I/G] = 1 is fixed. */
export class NearIdentityBranch implements Branch {
  readonly name: string;
  /** B: [O, I/G, 1, 1] */
  readonly weight: Parameter;
  /** E: [O, I/G, 1, 1] */
  readonly identity: Buffer;
  readonly #geometry: Geometry;

  /** @throws OpError unless the kernel is 1x1. */
  constructor(geometry: Geometry, { name = "near-identity" }: BranchOptions = {}) {
    const { inChannels, outChannels, kernelSize, groups } = geometry;
    if (kernelSize !== 1) throw new OpError(name, "a kernelSize of 1", `${kernelSize}`);
    this.name = name;
    this.weight = new Parameter([outChannels, inChannels / groups, 1, 1], { kind: "constant", value: 0 });
    this.identity = new Buffer(identityMatrix(outChannels, inChannels / groups));
    this.#geometry = geometry;
  }

  get factors(): readonly Parameter[] {
    return [this.weight];
  }

  kernel(scale?: Tensor): Tensor {
    return scaled(add(this.weight.value, this.identity.value), scale);
  }

  forward(x: Tensor): Tensor {
    return conv2d(x, this.kernel(), windowOptions(this.#geometry));
  }
}
