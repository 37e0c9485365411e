// The network of the page: two OREPA blocks and a linear layer read digits.
import { initialize, Linear, loadStateDict, type Mode, type Module, stateDict, toDtype } from "@orepa/autograd";
import { createBlock } from "@orepa/orepa";
import { type Dtype, flatten, logSoftmax, mean, mul, neg, sum, type Tensor } from "@orepa/tensor";
import { CLASSES, type Digits, SIDE } from "./digits.ts";

const CHANNELS = [8, 16] as const;
/** Both blocks halve the picture. */
const FEATURES = CHANNELS[1] * (SIDE / 4) ** 2;

export class DigitNet implements Module {
  readonly first = createBlock("orepa", 1, CHANNELS[0], { stride: 2 });
  readonly second = createBlock("orepa", CHANNELS[0], CHANNELS[1], { stride: 2 });
  readonly head = new Linear(FEATURES, CLASSES);
  /** Logits [n, classes] of pictures [n, 1, side, side]. */
  forward(x: Tensor, mode: Mode): Tensor {
    const features = this.second.forward(this.first.forward(x, mode), mode);
    return this.head.forward(flatten(features, 1));
  }
}

export function newNet(): DigitNet {
  const net = new DigitNet();
  initialize(net, 0);
  return net;
}
/** A network with the values that another has now. */
export function copyNet(net: DigitNet, dtype: Dtype = "float32"): DigitNet {
  const copy = newNet();
  loadStateDict(copy, stateDict(net));
  return toDtype(copy, dtype);
}

/** The cross-entropy: the mean of -log p of the true class. */
export const crossEntropy = (net: DigitNet, { pictures, truth }: Pick<Digits, "pictures" | "truth">): Tensor =>
  neg(mean(sum(mul(logSoftmax(net.forward(pictures, "train"), 1), truth), 1)));
