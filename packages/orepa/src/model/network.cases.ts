// A small residual network for the tests of whole models, and pictures for it.
import { initialize, namedVariables } from "@orepa/autograd";
import { Generator, rand, randn } from "@orepa/tensor";
import { type NetOptions, ResNet } from "../nets/resnet.ts";

export const inputShape = [2, 3, 16, 16] as const;
export const x = randn(inputShape, { generator: new Generator(1) });

/** A small residual network with norms that have seen something. */
export function network(options: NetOptions = {}): ResNet {
  const net = new ResNet({ depths: [1, 1, 1, 1], width: 0.125 }, { small: true, classes: 5, ...options });
  initialize(net, 0);
  const generator = new Generator(2);
  for (const [key, variable] of namedVariables(net))
    if (key.endsWith("running_mean")) variable.assign(rand(variable.shape, { generator, low: -1, high: 1 }));
    else if (key.endsWith("running_var")) variable.assign(rand(variable.shape, { generator, low: 0.5, high: 2 }));
  return net;
}
