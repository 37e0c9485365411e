// accumulate: the gradients of one pass over all pictures, with a single merge.
import { grad, type Mode, type Module, parameters, toDtype } from "@orepa/autograd";
import { add, compile, Generator, mul, randn, slice, sum, type Tensor } from "@orepa/tensor";
import { expect, it } from "vitest";
import { accumulate } from "./accumulate.ts";
import { expectClose } from "./close.cases.ts";
import { createBlock } from "./definitions.ts";
import { fill } from "./family.cases.ts";

class Net implements Module {
  readonly blocks = [
    fill(createBlock("orepa", 4, 4, { activation: false }), 1),
    fill(createBlock("dbb", 4, 4), 2),
    fill(createBlock("qarepvgg", 4, 4), 3),
  ];
  forward(x: Tensor, mode: Mode): Tensor {
    return this.blocks.reduce((map, block) => block.forward(map, mode), x);
  }
}

const net = toDtype(new Net(), "float64");
const x = randn([6, 4, 5, 5], { generator: new Generator("pictures"), dtype: "float64" });
const weights = randn([6, 4, 5, 5], { generator: new Generator("weights"), dtype: "float64" });
const losses = (pictures: Tensor): readonly (() => Tensor)[] =>
  [0, 2, 4].map((at) => () => {
    const y = net.forward(slice(pictures, 0, at, at + 2), "eval");
    return sum(mul(mul(y, y), slice(weights, 0, at, at + 2)));
  });
const rounding = 1e-11;

it("gives the gradients of all micro-batches together", () => {
  const { value, grads } = accumulate(net, losses(x), parameters(net));
  const whole = () =>
    losses(x)
      .map((loss) => loss())
      .reduce((a, b) => add(a, b));
  expectClose("value", value, whole(), rounding);
  for (const [parameter, expected] of grad(whole, parameters(net)))
    expectClose("gradient", grads.get(parameter)!, expected, rounding);
});

it("merges once, whatever the number of micro-batches", async () => {
  const block = createBlock("orepa", 4, 4, { branches: ["1x1-kxk"], norm: "none", activation: false });
  const products = async (parts: number): Promise<number> => {
    using program = compile((pictures: Tensor) => {
      const each = Array.from(
        { length: parts },
        (_, i) => () => sum(block.forward(slice(pictures, 0, i, i + 1), "train")),
      );
      return Object.fromEntries(
        [...accumulate(block, each, parameters(block)).grads.values()].map((g, i) => [`${i}`, g]),
      );
    });
    await program(randn([6, 4, 5, 5], { generator: new Generator(0) }));
    return program.print().split("matmul").length;
  };
  expect(await products(6)).toBe(await products(1));
});

it("leaves no kernel behind when a loss throws", () => {
  const [block] = net.blocks;
  const before = net.forward(x, "eval");
  const broken = () => {
    throw new Error("broken");
  };
  expect(() => accumulate(net, [broken], parameters(net))).toThrow("broken");
  block!.vector!.assign(add(block!.vector!.value, 0));
  expectClose("as before", net.forward(x, "eval"), before, 0);
  expect(() => accumulate(net, [], [])).toThrow("accumulate: expected at least one loss, got none");
});
