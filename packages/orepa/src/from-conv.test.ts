// fromConv: for every block and placement of norms the same function as the convolution, with a gradient for every branch.
import { BatchNorm2d, Conv2d, grad, namedParameters, namedVariables, ReLU, toDtype } from "@orepa/autograd";
import { abs, add, amax, Generator, mul, OpError, rand, randn, sum, type Tensor, tensor } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { expectClose } from "./close.cases.ts";
import { blockNames, createBlock } from "./definitions.ts";
import { deploy } from "./deploy.ts";
import { kernelSizes, placements, smallWindows } from "./family.cases.ts";
import { fromConv, fromDeployed, startFromConv } from "./from-conv.ts";

/** Sums of some hundred products in float64, divided by scales and norms of at least a hundredth. */
const rounding = 1e-11;

const cases = blockNames.flatMap((name) => placements.flatMap((norm) => (norm === "none" ? [] : [{ name, norm }])));

/** A convolution with a norm that has seen data, in 2 groups. */
function trained(kernelSize: number, { bias = false, channels = 4 } = {}) {
  const generator = new Generator("trained");
  const padding = Math.floor(kernelSize / 2);
  const conv = toDtype(new Conv2d(4, channels, kernelSize, { padding, groups: 2, bias }), "float64");
  const bn = toDtype(new BatchNorm2d(channels, { eps: 1e-5, momentum: 0.1 }), "float64");
  for (const [key, v] of [...namedVariables(bn), ...(bias ? [["bias", conv.bias!] as const] : [])])
    if (!key.includes("tracked"))
      v.assign(rand(v.shape, { generator, low: key.endsWith("var") ? 0.5 : -1, high: 1.5, dtype: "float64" }));
  const x = randn([3, 4, kernelSize + 1, kernelSize + 2], { generator, dtype: "float64" });
  const [act, out] = [new ReLU(), (y: Tensor) => act.forward(y)];
  return { conv, bn, act, x, expected: out(bn.forward(conv.forward(x), "eval")) };
}

describe("a block from a convolution and its norm", () => {
  it.each(cases)("$name with norms $norm is the same function", ({ name, norm }) => {
    for (const bias of [false, true]) {
      const { x, expected, ...source } = trained(kernelSizes[name][0]!, { bias });
      const block = fromConv(name, source, { norm, windows: smallWindows });
      expectClose("block", block.forward(x, "eval"), expected, rounding);
      expectClose("deployed", deploy(block).forward(x, "eval"), expected, rounding);
    }
  });

  it.each(cases)("$name with norms $norm has a gradient for every parameter", ({ name, norm }) => {
    const { x, expected, ...source } = trained(kernelSizes[name][0]!);
    const block = fromConv(name, { ...source, act: undefined }, { norm, windows: smallWindows });
    const weights = randn(expected.shape, { generator: new Generator(5), dtype: "float64" });
    const parameters = namedParameters(block);
    const grads = grad(() => sum(mul(block.forward(x, "train"), weights)), parameters.values());
    for (const [key, p] of parameters) {
      // A constant added before a norm changes nothing in train mode.
      if (norm === "both" && /norms\.\d\.bias/.test(key)) continue;
      expect(amax(abs(grads.get(p)!)).item(), key).toBeGreaterThan(1e-9);
    }
  });

  it("is the same function in train mode where the norm stands after the sum", () => {
    const { conv, bn, act, x } = trained(3);
    const block = fromConv("orepa", { conv, bn, act });
    expectClose("train", block.forward(x, "train"), act.forward(bn.forward(conv.forward(x), "train")), rounding);
    for (const key of ["running_mean", "running_var"] as const)
      expectClose(key, block.bn![key].value, bn[key].value, rounding);
  });

  it.each(["vector", "scalar", "none"] as const)("takes scales of kind %s", (scale) => {
    const { x, expected, ...source } = trained(3);
    for (const name of ["orepa", "dbb", "repvgg-orepa", "edge"] as const)
      for (const norm of ["post", "branch"] as const)
        expectClose(name, fromConv(name, source, { norm, scale }).forward(x, "eval"), expected, rounding);
  });

  it("takes a norm with another eps as it is", () => {
    const { x, expected, ...source } = trained(3);
    expectClose("eval", fromConv("orepa", source, { eps: 1e-2 }).forward(x, "eval"), expected, rounding);
  });

  it("leaves the share it is told to the other branches", () => {
    const { conv, bn } = trained(3);
    const originShare = (share: number) => {
      const block = fromConv("orepa", { conv, bn }, { share });
      const [origin, ...others] = block.branches.map((branch, i) => branch.kernel(block.scales()[i]));
      const size = (kernel: Tensor) => Math.sqrt(sum(mul(kernel, kernel)).item());
      return size(others.reduce((a, b) => add(a, b))) / size(origin!);
    };
    expect(originShare(0.01)).toBeLessThan(0.011);
    expect(originShare(0.3)).toBeGreaterThan(0.05);
  });

  it("begins in float32 where the convolution does", () => {
    const conv = new Conv2d(4, 4, 3, { padding: 1 });
    const block = fromConv("dbb", { conv });
    expect(block.branches[0]!.factors[0]!.dtype).toBe("float32");
    const x = randn([1, 4, 5, 5], { generator: new Generator(0) });
    expectClose("float32", block.forward(x, "eval"), conv.forward(x), 1e-5);
  });

  it("keeps channels that a norm has switched off", () => {
    const { conv, bn, x } = trained(3);
    bn.weight.assign(mul(bn.weight.value, tensor([1, 0, -1, 0], { dtype: "float64" })));
    const block = fromConv("repvgg", { conv, bn });
    expectClose("eval", block.forward(x, "eval"), bn.forward(conv.forward(x), "eval"), rounding);
  });
});

describe("a block from a deployed one", () => {
  it.each(cases)("$name with norms $norm is the same function, and again when deployed", ({ name, norm }) => {
    const { x, expected, ...source } = trained(kernelSizes[name][0]!);
    const deployed = deploy(fromConv("plain", source));
    for (const probe of [undefined, x]) {
      const options = { norm, windows: smallWindows, ...(probe ? { probe } : {}) };
      const block = fromDeployed(name, deployed, options);
      expectClose("block", block.forward(x, "eval"), expected, rounding);
      expectClose("deployed again", deploy(block).forward(x, "eval"), expected, rounding);
    }
  });

  it.each(["orepa", "repvgg", "qarepvgg"] as const)("%s knows the statistics of a probe", (name) => {
    const { x, expected, ...source } = trained(3);
    const deployed = deploy(fromConv("plain", source));
    const block = fromDeployed(name, deployed, { probe: x, share: 1e-3 });
    // What the unbiased variance of 45 or so values and a thousandth from the side branches change.
    expectClose("train mode", block.forward(x, "train"), expected, 0.05);
  });

  it("without norms takes no bias, but a bare kernel", () => {
    const conv = toDtype(new Conv2d(4, 4, 3, { padding: 1, bias: false }), "float64");
    const x = randn([1, 4, 5, 5], { generator: new Generator(0), dtype: "float64" });
    const block = fromDeployed("edge", conv, { norm: "none" });
    expectClose("eval", block.forward(x, "train"), conv.forward(x), rounding);
    expect(() => fromDeployed("edge", new Conv2d(4, 4, 3, { padding: 1 }), { norm: "none" })).toThrow(
      "fromConv: expected a norm that takes the bias, got a block without norms",
    );
  });
});

describe("fromConv refuses", () => {
  const conv = new Conv2d(4, 4, 3, { padding: 1 });
  it.each([
    ["deep-stem", 5, "stem"],
    ["orepa-stem", 5, "stem"],
    ["expandnet", 3, "chain"],
  ] as const)("to start %s, which is nothing but factors, in place", (name, kernelSize, got) => {
    const source = { conv: new Conv2d(4, 4, kernelSize, { padding: (kernelSize - 1) / 2 }) };
    const block = createBlock(name, 4, 4, { kernelSize });
    expect(() => startFromConv(block, source)).toThrow(
      `fromConv: expected a branch that can be any kernel, got ${got} (add an origin branch to the block)`,
    );
    expect(fromConv(name, source).branches.map((branch) => branch.name)).toEqual([got, "origin"]);
  });
  it("branches without a plain kernel", () =>
    expect(() => fromConv("orepa", { conv }, { branches: ["1x1", "average"] })).toThrow(/got average, 1x1/));
  it("a convolution of another geometry", () =>
    expect(() => startFromConv(createBlock("orepa", 4, 4, { stride: 2 }), { conv })).toThrow(
      "fromConv: expected a convolution with stride 2, got 1",
    ));
  it("a convolution that is not square", () => {
    expect(() => fromConv("orepa", { conv: new Conv2d(4, 4, [3, 1]) })).toThrow(OpError);
    expect(() => fromConv("orepa", { conv: new Conv2d(4, 4, 3, { stride: [1, 2] }) })).toThrow(/same stride/);
  });
  it("an even kernel", () => expect(() => fromConv("orepa", { conv: new Conv2d(4, 4, 2) })).toThrow(/odd kernelSize/));
});
