// Branches "1xk", "kx1" and "small": a window inside of the block's, with taps side by side or apart.
import { Parameter } from "@orepa/autograd";
import { OpError, type Tensor } from "@orepa/tensor";
import {
  type AdjointArguments,
  type Branch,
  type BranchGradients,
  type BranchOptions,
  dotPerOutput,
  he,
  scaled,
} from "../branch.ts";
import { convCentred, embed, taken } from "../centred.ts";
import { type Geometry, wholeNumber } from "../geometry.ts";

export interface SmallOptions extends BranchOptions {
  /** Rows and columns of taps, odd. */
  readonly size: readonly [number, number];
  /** Taps of the block's window from one tap to the next: its own dilation. */
  readonly spacing?: number;
}

/** K[o,i,c + r p,c + r q] = W[o,i,p,q], p and q counted from the middle, c the centre, r the spacing; 0 elsewhere. */
export class SmallBranch implements Branch {
  readonly name: string;
  /** [O, I/G, a, b] */
  readonly weight: Parameter;
  readonly #geometry: Geometry;
  readonly #size: readonly [number, number];
  readonly #spacing: number;

  /** @throws OpError if the window is even or does not fit into the block's. */
  constructor(geometry: Geometry, { name = "small", gain = 1, size, spacing = 1 }: SmallOptions) {
    const { inChannels, outChannels, kernelSize: k, groups } = geometry;
    wholeNumber(name, "spacing", spacing, 1);
    for (const taps of size) {
      wholeNumber(name, "size", taps, 1);
      if (taps % 2 === 0 || spacing * (taps - 1) + 1 > k)
        throw new OpError(name, `an odd window within ${k}x${k}`, `${size.join("x")} taps, ${spacing} apart`);
    }
    const shape = [outChannels, inChannels / groups, ...size];
    this.name = name;
    this.weight = new Parameter(shape, he(shape, gain));
    this.#geometry = geometry;
    this.#size = size;
    this.#spacing = spacing;
  }

  get factors(): readonly Parameter[] {
    return [this.weight];
  }

  kernel(scale?: Tensor): Tensor {
    return embed(scaled(this.weight.value, scale), this.#geometry.kernelSize, this.#spacing);
  }

  /** With f = ct at the taps: dW = v f, dv[o] = <f[o], W[o]>. */
  adjoint({ ct, scale, factors: [weight] }: AdjointArguments): BranchGradients {
    const f = taken(ct, this.#size, this.#spacing);
    return { factors: [scaled(f, scale)], scale: dotPerOutput(f, weight!) };
  }

  forward(x: Tensor): Tensor {
    return convCentred(x, this.weight.value, this.#geometry, this.#spacing);
  }
}
