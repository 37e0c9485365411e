// Whole networks converted: the same scores, gradients everywhere, and norms that know what they see.
import { namedModules, parameters, valueAndGrad } from "@orepa/autograd";
import { abs, amax, mul, sub, sum } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { expectClose } from "../close.cases.ts";
import { blockChoices } from "../nets/choices.ts";
import { calibrateNorms } from "./calibrate.ts";
import { fromConvModel, toOfflineModel } from "./convert-model.ts";
import { deployModel } from "./deploy-model.ts";
import { inputShape, network, x } from "./network.cases.ts";
import { isLinearBlock } from "./replace.ts";

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
