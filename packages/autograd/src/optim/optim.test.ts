// Optimizers against PyTorch's update rules written out in plain numbers, step by step; clipping, EMA and groups.
import { type Tensor, tensor, zeros } from "@orepa/tensor";
import { expect, test } from "vitest";
import { BatchNorm2d } from "../nn/batch-norm.ts";
import { Conv2d } from "../nn/conv.ts";
import { namedVariables, toDtype } from "../nn/module.ts";
import { Parameter } from "../nn/parameter.ts";
import { loadVariables, readVariables } from "../nn/state-dict.ts";
import { createAdamw } from "./adamw.ts";
import { clipGradNorm } from "./clip-grad-norm.ts";
import { emaDecay, updateEma } from "./ema.ts";
import { groupParameters, type ParameterGroup } from "./parameter-groups.ts";
import { oneMinusPower } from "./scalar.ts";
import { createSgd } from "./sgd.ts";

const start = [0.5, -1.5];
const gradients = [
  [1, -2],
  [0.5, 3],
  [-1, 0.25],
];
const rates = [0.1, 0.05, 0.2];

/** Two groups of one parameter each, in float64: the first decays, the second does not. */
function twoGroups(): { groups: ParameterGroup[]; parameters: [Parameter, Parameter] } {
  const make = () => {
    const parameter = new Parameter([2], { kind: "values", values: tensor(start) });
    parameter.to("float64");
    return parameter;
  };
  const parameters: [Parameter, Parameter] = [make(), make()];
  const groups = parameters.map((p, i) => ({ name: `${i}`, parameters: new Map([[`p${i}`, p]]), decay: i === 0 }));
  return { groups, parameters };
}

const gradientsOf = (parameters: readonly Parameter[], values: readonly number[]): Map<Parameter, Tensor> =>
  new Map(parameters.map((p) => [p, tensor(values, { dtype: "float64" })]));

const expectValues = (x: Tensor, expected: readonly number[]): void => {
  for (const [i, v] of [...x.toTypedArray()].entries()) expect(v).toBeCloseTo(expected[i]!, 12);
};

const hyperForms: readonly (readonly [string, (x: number) => number | Tensor])[] = [
  ["numbers", (x) => x],
  ["tensors", (x) => tensor(x, { dtype: "float64" })],
];

test.each([
  [true, 0.9],
  [false, 0.9],
  [false, 0],
])("SGD (nesterov %s, momentum %d) takes PyTorch's steps", (nesterov, momentum) => {
  for (const [, hyper] of hyperForms) {
    const { groups, parameters } = twoGroups();
    const sgd = createSgd(groups, { nesterov });
    const expected = parameters.map(() => [...start]);
    const buffers = parameters.map(() => [0, 0]);
    for (const [step, g] of gradients.entries()) {
      const learningRates = [rates[step]!, 2 * rates[step]!];
      sgd.update(gradientsOf(parameters, g), {
        learningRates: learningRates.map(hyper),
        momentum: hyper(momentum),
        weightDecay: hyper(0.01),
      });
      for (const [group, p] of expected.entries())
        for (const i of p.keys()) {
          const d = g[i]! + (group === 0 ? 0.01 * p[i]! : 0);
          const m = step === 0 ? d : momentum * buffers[group]![i]! + d;
          buffers[group]![i] = m;
          p[i]! -= learningRates[group]! * (nesterov ? d + momentum * m : m);
        }
      for (const [group, p] of parameters.entries()) expectValues(p.value, expected[group]!);
    }
    expect([...sgd.state.keys()]).toEqual(["momentum_buffer.p0", "momentum_buffer.p1"]);
    expectValues(sgd.state.get("momentum_buffer.p1")!.value, buffers[1]!);
  }
});

test("AdamW takes PyTorch's steps", () => {
  for (const [, hyper] of hyperForms) {
    const { groups, parameters } = twoGroups();
    const adamw = createAdamw(groups, { beta2: 0.99, eps: 1e-8 });
    const expected = parameters.map(() => [...start]);
    const averages = parameters.map(() => [0, 0]);
    const squares = parameters.map(() => [0, 0]);
    for (const [step, g] of gradients.entries()) {
      const learningRates = [rates[step]!, 2 * rates[step]!];
      adamw.update(gradientsOf(parameters, g), {
        learningRates: learningRates.map(hyper),
        beta1: hyper(0.9),
        weightDecay: hyper(0.02),
      });
      for (const [group, p] of expected.entries())
        for (const i of p.keys()) {
          const lr = learningRates[group]!;
          p[i]! *= 1 - (group === 0 ? lr * 0.02 : 0);
          const m = 0.9 * averages[group]![i]! + 0.1 * g[i]!;
          const v = 0.99 * squares[group]![i]! + 0.01 * g[i]! ** 2;
          averages[group]![i] = m;
          squares[group]![i] = v;
          const denominator = Math.sqrt(v) / Math.sqrt(1 - 0.99 ** (step + 1)) + 1e-8;
          p[i]! -= (lr / (1 - 0.9 ** (step + 1))) * (m / denominator);
        }
      // The series of the bias correction is right to 1e-9.
      for (const [group, p] of parameters.entries())
        for (const [i, v] of [...p.value.toTypedArray()].entries()) expect(v).toBeCloseTo(expected[group]![i]!, 9);
    }
    expect([...adamw.state.keys()]).toEqual(["step", "exp_avg.p0", "exp_avg.p1", "exp_avg_sq.p0", "exp_avg_sq.p1"]);
    expect(adamw.state.get("step")!.value.item()).toBe(3);
  }
});

test("the bias correction keeps its digits in float32, from the first step to the millionth", () => {
  for (const beta of [0.9, 0.999])
    for (const t of [1, 2, 10, 62, 63, 1000, 1_000_000]) {
      const expected = 1 - beta ** t;
      expect(Math.abs(oneMinusPower(beta, tensor(t)).item() / expected - 1)).toBeLessThan(3e-6);
    }
});

test("an optimizer whose state was saved and loaded goes on as the first would have", async () => {
  const hyper = { learningRates: [0.1, 0.2], momentum: 0.9, beta1: 0.9, weightDecay: 0.1 };
  for (const create of [createSgd, createAdamw]) {
    const [first, second] = [twoGroups(), twoGroups()];
    const [optimizer, resumed] = [create(first.groups), create(second.groups)];
    optimizer.update(gradientsOf(first.parameters, gradients[0]!), hyper);
    loadVariables(resumed.state, await readVariables(optimizer.state));
    for (const [i, p] of second.parameters.entries()) p.assign(first.parameters[i]!.value);
    optimizer.update(gradientsOf(first.parameters, gradients[1]!), hyper);
    resumed.update(gradientsOf(second.parameters, gradients[1]!), hyper);
    for (const [i, p] of second.parameters.entries())
      expect(p.value.toArray()).toEqual(first.parameters[i]!.value.toArray());
  }
});

test("a frozen parameter has no state and stays; a trained one without a gradient is an error that names it", () => {
  const { groups, parameters } = twoGroups();
  parameters[0].trainable = false;
  for (const optimizer of [createSgd(groups), createAdamw(groups)]) {
    expect([...optimizer.state.keys()].filter((key) => key.endsWith("p0"))).toEqual([]);
    const hyper = { learningRates: [0.1, 0.1], momentum: 0.9, beta1: 0.9, weightDecay: 0.1 };
    optimizer.update(gradientsOf([parameters[1]], [1, 1]), hyper);
    expectValues(parameters[0].value, start);
    expect(() => optimizer.update(new Map(), hyper)).toThrow("optimizer: expected a gradient of p1, got none");
  }
});

test("gradients are clipped to their global norm, and shorter ones are left alone", () => {
  const grads = new Map([
    ["a", tensor([3, 0])],
    ["b", tensor([[4]])],
  ]);
  const long = clipGradNorm(grads, 1);
  expect(long.norm.item()).toBe(5);
  expect(long.grads.get("a")!.toTypedArray()[0]).toBeCloseTo(3 / (5 + 1e-6), 6);
  expect(long.grads.get("b")!.item()).toBeCloseTo(4 / (5 + 1e-6), 6);
  expect(clipGradNorm(grads, tensor(10)).grads.get("a")!.toArray()).toEqual([3, 0]);
  expect(
    clipGradNorm(new Map([["a", zeros([2])]]), 1)
      .grads.get("a")!
      .toArray(),
  ).toEqual([0, 0]);
});

test("the EMA moves every floating entry, running statistics too, by 1 - d, and leaves counters alone", () => {
  const [average, model] = [new BatchNorm2d(2), new BatchNorm2d(2)];
  const entries = () =>
    [...namedVariables(average)].map(([key, { value }]) => [key, value.toTypedArray()[0]!] as const);
  for (const module of [average, model]) toDtype(module, "float64");
  for (const v of namedVariables(model).values())
    if (v.dtype === "float64") v.assign(tensor([5, 5], { dtype: "float64" }));
  model.num_batches_tracked.assign(tensor(9, { dtype: "int32" }));
  const before = new Map(entries());
  updateEma(average, model, tensor(0.75, { dtype: "float64" }));
  for (const [key, value] of entries())
    expect(value).toBeCloseTo(key === "num_batches_tracked" ? 0 : 0.75 * before.get(key)! + 0.25 * 5, 12);
  expect(() => updateEma(new Conv2d(1, 1, 1), model, 0.5)).toThrow("updateEma: expected an entry running_mean");
});

test("the decay of the EMA has the reference values", () => {
  expect(emaDecay(1)).toBeCloseTo(0.000499825033328626, 15);
  expect(emaDecay(5)).toBeCloseTo(0.0024966279147796613, 15);
});

test("the recipe's groups are biases, decayed weights, norm weights", () => {
  const model = {
    forward: () => undefined,
    conv: new Conv2d(2, 2, 1),
    bn: new BatchNorm2d(2),
    vector: new Parameter([6, 2], { kind: "constant", value: 1 }),
  };
  expect(groupParameters(model).map(({ name, parameters, decay }) => [name, [...parameters.keys()], decay])).toEqual([
    ["bias", ["conv.bias", "bn.bias"], false],
    ["weight", ["conv.weight", "vector"], true],
    ["norm", ["bn.weight"], false],
  ]);
});
