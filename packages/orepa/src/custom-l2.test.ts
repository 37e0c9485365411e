// RepVGG's own decay beside a forward pass: one merge and one way back for both, and the gradients of two.
import { namedParameters, type Parameter, valueAndGrad } from "@orepa/autograd";
import { add, compile, Generator, mul, randn, sum, type Tensor, trace } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { optimize } from "../../tensor/src/passes/optimize.ts";
import { expectClose } from "./close.cases.ts";
import { customL2 } from "./custom-l2.ts";
import { createBlock } from "./definitions.ts";
import { fill } from "./family.cases.ts";
import type { RepBlock } from "./rep-block.ts";

const x = randn([2, 4, 5, 5], { generator: new Generator("pictures"), dtype: "float64" });
const weights = randn([2, 4, 5, 5], { generator: new Generator("weights"), dtype: "float64" });
const make = (name: "repvgg-orepa" | "repvgg") => fill(createBlock(name, 4, 4, { activation: false }), 1);

const loss = (block: RepBlock, input: Tensor): Tensor => sum(mul(block.forward(input, "train"), weights));
const gradients = (block: RepBlock, fn: () => Tensor): ReadonlyMap<Parameter, Tensor> =>
  valueAndGrad(fn, namedParameters(block).values()).grads;

/** How often each primitive is in the gradient of a loss, what runs only after a change of parameters included. */
function counts(block: RepBlock, of: (input: Tensor) => Tensor): ReadonlyMap<string, number> {
  const { program } = trace(
    (input: Tensor) => {
      const grads = gradients(block, () => of(input));
      return Object.fromEntries([...grads.values()].map((g, i) => [`${i}`, g]));
    },
    [x],
  );
  const found = new Map<string, number>();
  for (const { name } of optimize(program).equations) found.set(name, (found.get(name) ?? 0) + 1);
  return found;
}

describe("customL2 beside a forward pass", () => {
  it("merges nothing again and goes back through the merge once", () => {
    const block = make("repvgg-orepa");
    const plain = counts(block, (input) => loss(block, input));
    const decayed = counts(block, (input) => add(loss(block, input), customL2(block)));
    // The merge's products: of the branch 1x1-kxk one forward and two back, of the depthwise-separable one two back.
    expect(plain.get("matmul")).toBe(5);
    for (const name of ["matmul", "conv2d", "split"]) expect(decayed.get(name), name).toBe(plain.get(name));
  });

  it("adds the same equations to a block that merges as to one that does not", () => {
    const added = (name: "repvgg-orepa" | "repvgg") => {
      const block = make(name);
      const total = (map: ReadonlyMap<string, number>) => [...map.values()].reduce((sum, n) => sum + n, 0);
      const decayed = counts(block, (input) => add(loss(block, input), customL2(block)));
      return total(decayed) - total(counts(block, (input) => loss(block, input)));
    };
    expect(added("repvgg-orepa")).toBe(added("repvgg"));
  });

  it("has the gradients of the two apart, added up", () => {
    const [block, same] = [make("repvgg-orepa"), make("repvgg-orepa")];
    const together = gradients(block, () => add(loss(block, x), customL2(block)));
    const apart = [gradients(same, () => loss(same, x)), gradients(same, () => customL2(same))];
    const parameters = namedParameters(same);
    for (const [key, parameter] of namedParameters(block)) {
      const [first, second] = apart.map((grads) => grads.get(parameters.get(key)!)!) as [Tensor, Tensor];
      expectClose(key, together.get(parameter)!, add(first, second), 1e-12);
    }
  });

  it("follows a parameter that changes within a program", async () => {
    const block = make("repvgg-orepa");
    using program = compile((input: Tensor) => {
      const before = block.forward(input, "train");
      const { vector } = block.branches[0] as unknown as { vector: Parameter };
      vector.assign(mul(vector.value, 2));
      return { before, after: customL2(block) };
    });
    const { after } = await program(x);
    expectClose("after", after, customL2(block), 1e-12);
  });
});
