// The networks: parameters as published, trained and deployed, and scores of the right shape.
import type { Module } from "@orepa/autograd";
import { Generator, randn } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { parameterCount } from "../model/cost.ts";
import { deployModel } from "../model/deploy-model.ts";
import { findModules, isLinearBlock } from "../model/replace.ts";
import { type BlockChoice, blockChoices } from "./choices.ts";
import { type RepVggSize, repvgg } from "./repvgg-net.ts";
import { type NetOptions, ResNet, resnet18, resnet34, resnet50, resnet101, resnext50, wideResnet18 } from "./resnet.ts";

const nets = {
  "ResNet-18": resnet18,
  "ResNet-34": resnet34,
  "ResNet-50": resnet50,
  "ResNet-101": resnet101,
  "ResNeXt-50": resnext50,
  "ResNet-18-2x": (options: NetOptions) => wideResnet18(2, options),
} as const;
const millions = (count: number): string => (count / 1e6).toFixed(3);

// Of the largest ones the count would hold as well, but drawing 150 million first values takes long.
describe("millions of trained parameters", () => {
  it.each<readonly [keyof typeof nets, BlockChoice, string]>([
    ["ResNet-18", "plain", "11.690"],
    ["ResNet-18", "dbb", "26.288"],
    ["ResNet-18", "orepa", "37.756"],
    ["ResNet-34", "plain", "21.798"],
    ["ResNet-50", "plain", "25.557"],
    ["ResNet-50", "dbb", "40.684"],
    ["ResNet-101", "plain", "44.549"],
    ["ResNeXt-50", "plain", "25.029"],
    ["ResNeXt-50", "dbb", "26.991"],
    ["ResNet-18-2x", "plain", "45.693"],
  ])("%s of %s blocks: %s", (net, block, expected) => {
    expect(millions(parameterCount(nets[net]({ block })))).toBe(expected);
  });

  it.each<readonly [RepVggSize, string]>([
    ["A0", "24.754"],
    ["A1", "39.713"],
  ])(
    "RepVGG-%s with OREPA branches: %s, with the row of scales that the published blocks have without use",
    (size, expected) => {
      const net = repvgg(size, { block: "repvgg-orepa" });
      const withIdentity = [...findModules(net, isLinearBlock).values()].filter(
        ({ geometry: { inChannels, outChannels, stride } }) => inChannels === outChannels && stride === 1,
      );
      const unused = withIdentity.reduce((sum, { geometry }) => sum + geometry.outChannels, 0);
      expect(millions(parameterCount(net) + unused)).toBe(expected);
    },
  );
});

describe("millions of deployed parameters", () => {
  it.each<readonly [string, () => Module, string]>([
    ["ResNet-18", () => resnet18(), "11.685"],
    ["ResNeXt-50", () => resnext50(), "24.995"],
    ["RepVGG-A0", () => repvgg("A0"), "8.309"],
  ])("%s", (_, make, expected) => {
    const { report } = deployModel(make(), { inputShape: [1, 3, 32, 32] });
    expect(millions(report.parameters.after)).toBe(expected);
  });
});

describe.each(blockChoices)("of %s blocks", (block) => {
  const x = randn([2, 1, 16, 16], { generator: new Generator(1) });
  const options = { block, classes: 7, inChannels: 1, small: true } as const;

  it.each(["basic", "bottleneck"] as const)("a residual network of %s blocks scores pictures", (residual) => {
    const net = new ResNet({ depths: [1, 1, 1, 1], residual, width: 0.125 }, options);
    expect(net.forward(x, "train").shape).toEqual([2, 7]);
  });
});

it("a large stem has stride 2 and a pool", () => {
  const net = new ResNet({ depths: [1, 1, 1, 1], width: 0.125 }, { block: "orepa", classes: 3 });
  expect(net.stem.forward(randn([1, 3, 64, 64], { generator: new Generator(1) }), "eval").shape).toEqual([
    1, 8, 32, 32,
  ]);
  expect(net.pool).toBeDefined();
});
