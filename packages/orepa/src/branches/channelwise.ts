// Branches "identity" and "pool": every channel on its own through a fixed window, nothing to train.
import { Buffer, type Parameter } from "@orepa/autograd";
import { expand, full, mul, OpError, reshape, type Tensor } from "@orepa/tensor";
import { type Branch, type BranchOptions, perChannel, scaled } from "../branch.ts";
import { centre, centrePixels, identityMatrix } from "../centred.ts";
import type { Geometry } from "../geometry.ts";

/** What a channel's window holds: its centre alone, or the mean (zeros of the padding count). */
const windows = {
  identity: (k: number): Tensor => centre(k, "float32"),
  pool: (k: number): Tensor => full([k, k], 1 / k ** 2),
} as const;

/** K[o,i,y,x] = F[y,x] where i = o mod I/G, 0 elsewhere; as many channels out as in. */
export class ChannelwiseBranch implements Branch {
  readonly name: string;
  /** F: [k, k] */
  readonly filter: Buffer;
  /** [O, I/G, 1, 1] */
  readonly identity: Buffer;
  readonly #geometry: Geometry;
  readonly #window: keyof typeof windows;

  /** @throws OpError if the channels are not as many out as in. */
  constructor(
    geometry: Geometry,
    { window, name = window }: BranchOptions & { readonly window: keyof typeof windows },
  ) {
    const { inChannels, outChannels, kernelSize: k, groups } = geometry;
    if (inChannels !== outChannels)
      throw new OpError(name, "as many channels out as in", `${inChannels} in, ${outChannels} out`);
    this.name = name;
    this.filter = new Buffer(windows[window](k));
    this.identity = new Buffer(identityMatrix(outChannels, inChannels / groups));
    this.#geometry = geometry;
    this.#window = window;
  }

  get factors(): readonly Parameter[] {
    return [];
  }

  kernel(scale?: Tensor): Tensor {
    return mul(this.identity.value, scaled(this.filter.value, scale));
  }

  forward(x: Tensor): Tensor {
    const { inChannels, kernelSize: k } = this.#geometry;
    if (this.#window === "identity") return centrePixels(x, this.#geometry);
    const filters = expand(reshape(this.filter.value, [1, 1, k, k]), [inChannels, 1, k, k]);
    return perChannel(x, filters, this.#geometry);
  }
}
