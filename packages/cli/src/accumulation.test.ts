// Steps over several batches with blocks that merge: one merge and one way back for all of them, the gradients of the plain form.
import { namedParameters, toDtype, valueAndGrad } from "@orepa/autograd";
import { cast, fromData, Generator, rand, type Tensor } from "@orepa/tensor";
import { buildModel, createStep, detectionLoss } from "@orepa/yolo";
import { expect, it } from "vitest";
import { registry } from "./registry.ts";

const SIDE = 32;
const text = (block: string): string => `
nc: 2
backbone:
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, ${block}, [8, 3, 2]]
  - [-1, 1, ${block}, [16, 3, 2]]
head:
  - [[1, 2], 1, Detect, [nc]]
`;
const gains = { box: 7.5, cls: 0.5, dfl: 1.5 };
const batches = [0, 1, 2].map((seed) => ({
  images: rand([2, 3, SIDE, SIDE], { generator: new Generator(seed) }).toTypedArray() as Float32Array,
  shape: [2, 3, SIDE, SIDE] as const,
  targets: Float32Array.of(0, 0.5, 0.45, 0.6, 0.7, 1, 0.4, 0.5, 0.5, 0.6),
  targetShape: [2, 1, 5] as const,
}));

function open(block: string) {
  const [model, average] = [0, 1].map(() => toDtype(buildModel(text(block), { registry }), "float64")) as [
    ReturnType<typeof buildModel>,
    ReturnType<typeof buildModel>,
  ];
  const generator = new Generator("values");
  for (const p of namedParameters(model).values())
    p.assign(rand(p.shape, { generator, low: -0.4, high: 0.6, dtype: "float64" }));
  const step = createStep({
    ...{ model, average, gains, accumulates: true, device: "cpu" },
    optimizer: { name: "SGD", lr: 0.01, momentum: 0.9, warmupBiasLr: 0.1, weightDecay: 5e-4 },
  });
  const settings = { lr: [0.01, 0.01, 0.01], momentum: 0.9, emaDecay: 0.5 } as const;
  return { model, step, run: (i: number, apply = false) => step.run(batches[i]!, { ...settings, apply }) };
}

/** The sum over the batches of gradients for all parameters, factors of kernels included. */
function plainGradients(block: string): ReadonlyMap<string, Float64Array> {
  const { model, step } = open(block);
  step.dispose();
  const parameters = new Map([...namedParameters(model)].filter(([, { trainable }]) => trainable));
  const sums = new Map([...parameters].map(([key, { value }]) => [key, new Float64Array(value.size)]));
  for (const { images, shape, targets, targetShape } of batches) {
    const x = cast(fromData(images, shape), "float64");
    const truth = cast(fromData(targets, targetShape), "float64");
    const loss = (): Tensor =>
      detectionLoss(model.forward(x, "train").maps, truth, { nc: model.nc, strides: model.strides, gains }).total;
    const { grads } = valueAndGrad(loss, parameters.values());
    for (const [key, parameter] of parameters)
      for (const [i, value] of grads.get(parameter)!.toTypedArray().entries()) sums.get(key)![i]! += value as number;
  }
  return sums;
}

it.each(["OREPA", "DBB", "OREPA_offline"])(
  "sums the gradients of %s over batches as the plain form does",
  async (block) => {
    const { step, run } = open(block);
    for (const i of batches.keys()) await run(i);
    const found = await step.gradients();
    step.dispose();
    const expected = plainGradients(block);
    expect([...found.keys()]).toEqual([...expected.keys()]);
    for (const [key, values] of expected) {
      const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      for (const [i, value] of found.get(key)!.toTypedArray().entries())
        expect(Math.abs((value as number) - values[i]!), key).toBeLessThan(1e-9 * largest + 1e-9);
    }
  },
);

it("merges before the first batch, and goes back through the merge when the optimizer acts", async () => {
  const { step, run } = open("OREPA");
  const products = (list: readonly { readonly name: string }[]) => list.filter(({ name }) => name === "matmul").length;
  for (const i of batches.keys()) await run(i, i === 2);
  const { equations, hoisted } = step.report();
  const { equations: plain } = await (async () => {
    const other = open("Conv");
    await other.run(0);
    return other.step.report();
  })();
  // One product for each of the two blocks, made before all batches; none on the way back.
  expect(products(hoisted)).toBe(2);
  expect(products(equations)).toBe(products(plain));
  const factors = [...step.accumulated.keys()].filter((key) => /weight_orepa|vector/.test(key));
  expect(factors).toEqual([]);
  expect([...step.accumulated.keys()].filter((key) => key.endsWith(".kernel"))).toEqual([
    "model.1.kernel",
    "model.2.kernel",
  ]);
  step.dispose();
});
