// The OREPA block on wasm, with one thread and two: every subset of its branches with its gradients, and gradients of second order of
// the merge, as close to float64 as the reference's own float32 is.
import { grad, namedParameters, parameters, readStateDict, toDtype, valueAndGrad } from "@orepa/autograd";
import { cast, Generator, mul, rand, randn, sum, type Tensor } from "@orepa/tensor";
import { describe, it } from "vitest";
import { expectParity, type Subject } from "../../autograd/src/testing/wasm-devices.cases.ts";
import { mergedKernel } from "./merge.ts";
import { branchNames, Orepa, type OrepaOptions } from "./orepa.ts";
import { branchSubsets, subsetGeometries } from "./subsets.cases.ts";

type BlockOf = OrepaOptions & { readonly channels?: number };
/** A block of as many channels in as out with no zero among its parameters. */
function made({ channels = 4, ...options }: BlockOf, dtype: "float32" | "float64") {
  const block = new Orepa(channels, channels, { expand: 2, activation: false, ...options });
  const generator = new Generator("orepa on wasm");
  for (const p of namedParameters(toDtype(block, "float64")).values())
    p.assign(rand(p.shape, { generator, low: 0.2, high: 1, dtype: "float64" }));
  const x = randn([2, channels, 5, 4], { generator, dtype: "float64" });
  const weights = randn(block.kernel().shape, { generator, dtype: "float64" });
  return { block: toDtype(block, dtype), x: cast(x, dtype), weights: cast(weights, dtype) };
}

/** The gradients of one value are sums of the same cotangents. */
const together = { scale: (key: string) => key.split(" ")[0]! };
const named = (prefix: string, block: Orepa, grads: ReadonlyMap<unknown, Tensor>) =>
  Object.fromEntries([...namedParameters(block)].map(([key, p]) => [`${prefix} ${key}`, grads.get(p)!]));

describe("an Orepa block on wasm has the values, statistics and gradients of float64", () => {
  const subject =
    (options: BlockOf): Subject =>
    (dtype) => {
      const { block, x } = made(options, dtype);
      const run = (input: Tensor) => {
        let y: Tensor | undefined;
        const { grads } = valueAndGrad<Tensor>(() => {
          y = block.forward(input, "train");
          return sum(mul(y, randn(y.shape, { generator: new Generator(2), dtype })));
        }, [input, ...parameters(block).map((p) => p.value)]);
        const gradients = [...namedParameters(block)].map(([key, p]) => [`gradient ${key}`, grads.get(p.value)!]);
        return { y: y!, "gradient input": grads.get(input)!, ...Object.fromEntries(gradients) };
      };
      return { inputs: [x], run: (input) => run(input!), after: () => readStateDict(block) };
    };

  it.each(branchSubsets.map((branches, i) => ({ branches, geometry: subsetGeometries[i % subsetGeometries.length]! })))(
    "with $branches and $geometry",
    ({ branches, geometry }) => expectParity(subject({ branches, ...geometry }), together),
  );
  it.each([1, 2])("with so many channels that a sum per channel is part of a loop, in %d groups", (groups) =>
    expectParity(subject({ channels: 20, groups }), together),
  );
});

describe("the merge on wasm has gradients of second order", () => {
  const subject =
    (options: BlockOf): Subject =>
    (dtype) => {
      const { block, weights } = made({ norm: "none", ...options }, dtype);
      const all = parameters(block);
      const run = (given: Tensor) => {
        // Squared, so that the second gradient also goes through the cotangent.
        const first = () => grad(() => sum(mul(mul(mergedKernel(block), mergedKernel(block)), given)), all);
        const second = grad(
          () => [...first().values()].map((g) => sum(mul(g, g))).reduce((a, b) => mul(a, mul(b, 1e-3))),
          all,
        );
        return { ...named("first", block, first()), ...named("second", block, second) };
      };
      return { inputs: [weights], run: (given) => run(given!) };
    };
  const cases: readonly BlockOf[] = [
    {},
    { channels: 20 }, // enough rows for sums of a row each
    { kernelSize: 5, padding: 1 },
    ...branchNames.map((name) => ({ branches: [name] })),
    { groups: 2, internal: 6 },
    { prior: "wrapped" },
    { scale: "scalar" },
    { scale: "none" },
  ];
  it.each(cases)("%o", (options) => expectParity(subject(options), together));
});
