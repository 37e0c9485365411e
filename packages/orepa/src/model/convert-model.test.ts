// Whole networks converted: the same scores, gradients everywhere, and norms that know what they see.
import { initialize, namedModules, namedVariables, parameters, valueAndGrad } from "@orepa/autograd";
import { abs, amax, Generator, mul, rand, randn, sub, sum } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { expectClose } from "../close.cases.ts";
import { blockChoices } from "../nets/choices.ts";
import { type NetOptions, ResNet } from "../nets/resnet.ts";
import { calibrateNorms } from "./calibrate.ts";
import { fromConvModel, toOfflineModel } from "./convert-model.ts";
import { deployModel } from "./deploy-model.ts";
import { isLinearBlock } from "./replace.ts";

const inputShape = [2, 3, 16, 16] as const;
const x = randn(inputShape, { generator: new Generator(1) });

function network(options: NetOptions = {}): ResNet {
  const net = new ResNet({ depths: [1, 1, 1, 1], width: 0.125 }, { small: true, classes: 5, ...options });
  initialize(net, 0);
  const generator = new Generator(2);
  for (const [key, variable] of namedVariables(net))
    if (key.endsWith("running_mean")) variable.assign(rand(variable.shape, { generator, low: -1, high: 1 }));
    else if (key.endsWith("running_var")) variable.assign(rand(variable.shape, { generator, low: 0.5, high: 2 }));
  return net;
}
const blocksOf = (net: object) => [...namedModules(net)].filter(([, module]) => isLinearBlock(module));
const tolerance = 2e-3;

describe("fromConvModel", () => {
  it.each(blockChoices.filter((choice) => choice !== "plain"))(
    "turns plain convolutions into %s blocks with the same scores, and back",
    (choice) => {
      const net = network();
      const scores = net.forward(x, "eval");
      expect(fromConvModel(net, choice)).toBe(net);
      expect(blocksOf(net).length).toBeGreaterThan(8);
      expectClose("converted", net.forward(x, "eval"), scores, tolerance);
      deployModel(net, { inputShape });
      expectClose("deployed", net.forward(x, "eval"), scores, tolerance);
      fromConvModel(net, choice);
      expectClose("from deployed", net.forward(x, "eval"), scores, tolerance);
    },
  );

  it("gives every factor of every branch a gradient", () => {
    const net = fromConvModel(network(), "orepa");
    const { grads } = valueAndGrad(() => sum(mul(net.forward(x, "train"), net.forward(x, "train"))), parameters(net));
    for (const gradient of grads.values()) expect(amax(abs(gradient)).item()).toBeGreaterThan(0);
  });

  it("takes a choice by path, and leaves what is not chosen", () => {
    const net = fromConvModel(network(), (path) => (path === "stages.1.0.conv2" ? "dbb" : undefined));
    expect(blocksOf(net).map(([path]) => path)).toEqual(["stages.1.0.conv2"]);
  });
});

describe("calibrateNorms", () => {
  it("keeps the function in eval mode and brings train mode to it", async () => {
    const net = network();
    const scores = net.forward(x, "eval");
    const far = amax(abs(sub(net.forward(x, "train"), scores))).item();
    const other = network();
    deployModel(other, { inputShape });
    fromConvModel(other, "orepa");
    await calibrateNorms(other, x);
    expectClose("eval", other.forward(x, "eval"), scores, tolerance);
    const near = amax(abs(sub(other.forward(x, "train"), scores))).item();
    expect(near).toBeLessThan(tolerance * amax(abs(scores)).item());
    expect(far).toBeGreaterThan(10 * near);
  });
});

it("toOfflineModel computes the same branch by branch", () => {
  const net = network({ block: "orepa" });
  const scores = net.forward(x, "eval");
  expect(toOfflineModel(net)).toBe(net);
  expectClose("offline", net.forward(x, "eval"), scores, tolerance);
});
