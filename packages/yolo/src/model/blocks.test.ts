// Every block against the reference's outputs, gradients and running statistics: in float64, and in float32 on the wasm device.

import { MaxPool2d, type Mode, namedParameters, readStateDict, toDtype, Upsample, valueAndGrad } from "@orepa/autograd";
import { add, mul, reshape, sum, type Tensor } from "@orepa/tensor";
import { describe, expect, test } from "vitest";
import { runOnWasm, toSingle } from "../../../autograd/src/testing/wasm-devices.cases.ts";
import { Attention, PSABlock } from "./blocks/attention.ts";
import { Bottleneck } from "./blocks/bottleneck.ts";
import { C2PSA } from "./blocks/c2psa.ts";
import { C3k } from "./blocks/c3k.ts";
import { C3k2 } from "./blocks/c3k2.ts";
import { Concat } from "./blocks/concat.ts";
import { Conv, DWConv } from "./blocks/conv.ts";
import { Proto } from "./blocks/proto.ts";
import { SPPF } from "./blocks/sppf.ts";
import { Detect } from "./heads/detect.ts";
import { DFL } from "./heads/dfl.ts";
import { type Deviation, expectWithin, readJson, readTensors, withFixtureWeights } from "./parity.cases.ts";

interface LayerCase {
  readonly inputs: readonly (readonly number[])[];
  readonly float32_deviation: Readonly<Record<string, Deviation>>;
}
interface Subject {
  readonly module: object;
  readonly forward: (inputs: readonly Tensor[], mode: Mode) => readonly Tensor[];
}

const single = (module: { forward(x: Tensor, mode: Mode): Tensor }): Subject => ({
  module,
  forward: ([x], mode) => [module.forward(x!, mode)],
});
const concat = new Concat(1);
const detect = new Detect(3, [8, 12, 16], { strides: [8, 16, 32] });

const subjects: Readonly<Record<string, () => Subject>> = {
  conv_k3s2: () => single(new Conv(4, 8, { kernelSize: 3, stride: 2 })),
  conv_k1: () => single(new Conv(5, 6)),
  conv_g2_d2: () => single(new Conv(4, 8, { kernelSize: 3, groups: 2, dilation: 2 })),
  conv_noact: () => single(new Conv(4, 6, { kernelSize: 3, activation: false })),
  dwconv: () => single(new DWConv(8, 8, { kernelSize: 3 })),
  bottleneck_add: () => single(new Bottleneck(8, 8)),
  bottleneck_noadd: () => single(new Bottleneck(8, 12)),
  c3k: () => single(new C3k(16, 16, { repeats: 2 })),
  c3k2_false: () => single(new C3k2(16, 24, { repeats: 1, c3k: false, expansion: 0.25 })),
  c3k2_true: () => single(new C3k2(16, 24, { repeats: 2, c3k: true, expansion: 0.5 })),
  sppf: () => single(new SPPF(16, 16, { kernelSize: 5 })),
  attention_h2: () => single(new Attention(32, { heads: 2, ratio: 0.5 })),
  psablock: () => single(new PSABlock(32, { heads: 2, ratio: 0.5 })),
  c2psa: () => single(new C2PSA(128, 128)),
  c2psa_h2: () => single(new C2PSA(256, 256)),
  dfl: () => single(new DFL(16)),
  proto: () => single(new Proto(16, { hidden: 24, masks: 8 })),
  upsample: () => single(new Upsample(2, "nearest")),
  concat: () => ({ module: concat, forward: (inputs, mode) => [concat.forward(inputs, mode)] }),
  maxpool5: () => single(new MaxPool2d(5, { stride: 1, padding: 2 })),
  detect: () => ({
    module: detect,
    forward: (inputs, mode) => {
      const { maps, decoded } = detect.forward(inputs, mode);
      return decoded ? [decoded, ...maps] : maps;
    },
  }),
};

const cases = readJson<Record<string, LayerCase>>("layers.json");
const stored = new Map([...readTensors("layers.safetensors"), ...readTensors("heads.safetensors")]);
/** Tasks other than detection, and blocks of other packages. */
const elsewhere = /^(orepa_|segment|pose_|obb|classify)/;

test("every case of the reference has a subject", () => {
  const names = Object.keys(cases).filter((name) => !elsewhere.test(name));
  expect(Object.keys(subjects).sort()).toEqual(names.sort());
});

describe.each(Object.keys(subjects))("%s", (name) => {
  const { inputs: shapes, float32_deviation: deviations } = cases[name]!;
  const inputs = shapes.map((_, i) => stored.get(`${name}.input.${i}`)!);
  /** The stored tensors `<name>.<what>` and `<name>.<what>.<...>`, in order. */
  const all = (what: string): string[] =>
    [...stored.keys()].filter((key) => key === `${name}.${what}` || key.startsWith(`${name}.${what}.`));
  const check = (key: string, actual: Tensor): void =>
    expectWithin(key, actual, stored.get(key)!, deviations[key.slice(name.length + 1)]!);
  const make = (): Subject => {
    const subject = subjects[name]!();
    withFixtureWeights(subject.module, `${name}/`);
    return subject;
  };
  const keys = { eval: all("eval.output"), train: all("train.output") };

  const evaluate = ({ forward }: Subject, x: readonly Tensor[]): Record<string, Tensor> => {
    const outputs = forward(x, "eval");
    expect(keys.eval.length).toBe(outputs.length);
    return Object.fromEntries(keys.eval.map((key, i) => [key, outputs[i]!]));
  };
  /** Outputs, loss and the stored gradients, by the names they are stored under. */
  const train = (
    { module, forward }: Subject,
    x: readonly Tensor[],
    cast = (t: Tensor) => t,
  ): Record<string, Tensor> => {
    const parameters = namedParameters(module);
    let outputs: readonly Tensor[] = [];
    const { value, grads } = valueAndGrad(() => {
      outputs = forward(x, "train");
      return keys.train
        .map((key, i) => sum(mul(outputs[i]!, cast(stored.get(key.replace(".train.", ".r.train."))!))))
        .reduce((a, b) => add(a, b));
    }, [...x, ...parameters.values()]);
    const gradients = all("grad").filter((key) => !key.startsWith(`${name}.grad.input.`));
    return {
      ...Object.fromEntries(keys.train.map((key, i) => [key, outputs[i]!])),
      [`${name}.train.loss`]: reshape(value, [1]),
      ...Object.fromEntries(x.map((input, i) => [`${name}.grad.input.${i}`, grads.get(input)!])),
      ...Object.fromEntries(
        gradients.map((key) => [key, grads.get(parameters.get(key.slice(`${name}.grad.`.length))!)!]),
      ),
    };
  };
  const statistics = async ({ module }: Subject): Promise<Map<string, Tensor>> => {
    const state = await readStateDict(module);
    return new Map(all("after").map((key) => [key, state.get(key.slice(`${name}.after.`.length))!]));
  };
  const checkAll = (values: Iterable<readonly [string, Tensor]>): void => {
    for (const [key, value] of values) check(key, value);
  };

  test("eval outputs agree", () => checkAll(Object.entries(evaluate(make(), inputs))));

  test("train outputs, gradients and running statistics agree", async () => {
    const subject = make();
    checkAll(Object.entries(train(subject, inputs)));
    checkAll(await statistics(subject));
  });

  test("all of it agrees on wasm", async () => {
    const single = (): Subject => {
      const subject = make();
      toDtype(subject.module, "float32");
      return subject;
    };
    const x = inputs.map(toSingle);
    checkAll(
      await runOnWasm(() => {
        const subject = single();
        return { inputs: x, run: (...t) => evaluate(subject, t) };
      }),
    );
    checkAll(
      await runOnWasm(() => {
        const subject = single();
        return { inputs: x, run: (...t) => train(subject, t, toSingle), after: () => statistics(subject) };
      }),
    );
  });
});
