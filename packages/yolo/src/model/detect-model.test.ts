// The whole of yolo11n against the reference: every layer, maps, boxes and running statistics, in float64, and in
// float32 on wasm.

import { loadStateDict, type Mode, namedVariables, StateDictError, stateDict } from "@orepa/autograd";
import { compile, Generator, rand, type Tensor, tensor, zeros } from "@orepa/tensor";
import { beforeAll, describe, expect, test } from "vitest";
import { runOnWasm } from "../../../autograd/src/testing/wasm-devices.cases.ts";
import { UserError } from "../errors.ts";
import type { DetectOutput } from "./heads/detect.ts";
import {
  type Deviation,
  expectWithin,
  forwardSubject,
  readJson,
  readTensors,
  withFixtureWeights,
} from "./parity.cases.ts";
import { buildModel } from "./parser.ts";
import { modelYaml } from "./yaml/model-yaml.ts";

const stored = readTensors("forward-detect.safetensors");
const deviations = readJson<{ tensors: Record<string, Deviation> }>("forward-tolerance.json").tensors;
const { text } = modelYaml("yolo11n.yaml");
const build = () => buildModel(text, { scale: "n" });

describe.each(["64x64", "96x64"])("yolo11n at %s", (size) => {
  const check = (what: string, actual: Tensor): void =>
    expectWithin(`${size}.${what}`, actual, stored.get(`${size}.${what}`)!, deviations[`detect.${size}.${what}`]!);
  const input = stored.get(`${size}.input`)!;
  const layers = new Map<number, Tensor>();
  let evaluated: DetectOutput;
  let trained: DetectOutput;
  let after: ReadonlyMap<string, Tensor>;

  beforeAll(() => {
    const model = withFixtureWeights(build());
    evaluated = model.forward(input, "eval", (index, output) => layers.set(index, output));
    trained = model.forward(input, "train");
    after = stateDict(model);
  });

  test("every layer agrees in eval mode", () => {
    expect(layers.size).toBe(23);
    for (const [index, output] of layers) check(`eval.layer.${index}`, output);
  });

  test("maps and boxes agree in eval mode", () => {
    evaluated.maps.forEach((map, level) => {
      check(`eval.feat.${level}`, map);
    });
    check("eval.output", evaluated.decoded!);
  });

  test("maps agree in train mode, and nothing is decoded", () => {
    trained.maps.forEach((map, level) => {
      check(`train.feat.${level}`, map);
    });
    expect(trained.decoded).toBeUndefined();
  });

  test("running statistics agree after one train forward", () => {
    const keys = [...stored.keys()].filter((key) => key.startsWith(`${size}.train.after.`));
    for (const key of keys) check(key.slice(size.length + 1), after.get(key.slice(`${size}.train.after.`.length))!);
    expect(keys).toHaveLength(4);
  });

  test.each<Mode>(["eval", "train"])("all of it agrees on wasm in %s mode", async (mode) => {
    const found = await runOnWasm(forwardSubject(() => withFixtureWeights(build()), input, mode));
    const wanted = [...stored.keys()].filter((key) => key.startsWith(`${size}.${mode}.`));
    expect(wanted).toHaveLength(mode === "eval" ? 27 : 7);
    for (const key of wanted.map((name) => name.slice(size.length + 1))) check(key, found.get(key)!);
  });
});

test("the biases of the head start at 1 and at the logit of five objects an image", () => {
  const variables = namedVariables(buildModel(text, { scale: "n", nc: 10 }));
  expect(new Set(variables.get("model.23.cv2.1.2.bias")!.value.toTypedArray())).toEqual(new Set([1]));
  const classBias = variables.get("model.23.cv3.1.2.bias")!.value.toTypedArray();
  expect(classBias).toHaveLength(10);
  expect(classBias[0]).toBeCloseTo(Math.log(5 / 10 / (640 / 16) ** 2), 5);
});

test("weights of another shape are refused with the key and both shapes", () => {
  const model = build();
  const state = new Map(stateDict(model));
  state.set("model.2.cv1.conv.weight", zeros([32, 31, 1, 1]));
  try {
    loadStateDict(model, state);
    expect.unreachable("loadStateDict accepted a wrong shape");
  } catch (error) {
    expect(error).toBeInstanceOf(StateDictError);
    expect(error).toMatchObject({ key: "model.2.cv1.conv.weight", expected: [32, 32, 1, 1], got: [32, 31, 1, 1] });
  }
});

test.each([
  ["sides that are no multiples of 32", [1, 3, 64, 40]],
  ["one channel", [1, 1, 64, 64]],
  ["no batch axis", [3, 64, 64]],
])("images with %s are refused", (_, shape) => {
  expect(() => build().forward(zeros(shape), "eval")).toThrow(UserError);
});

test("predict gives the decoded boxes", () => {
  const model = build();
  const images = tensor(new Float32Array(3 * 32 * 32).fill(0.5), { shape: [1, 3, 32, 32] });
  expect(model.predict(images).toTypedArray()).toEqual(model.forward(images, "eval").decoded!.toTypedArray());
});

test.each<Mode>(["eval", "train"])("a compiled %s forward gives the eager values", async (mode) => {
  const [eager, compiled] = [withFixtureWeights(build()), withFixtureWeights(build())];
  const images = rand([2, 3, 64, 64], { generator: new Generator(5), dtype: "float64" });
  const program = compile((x: Tensor) => compiled.forward(x, mode).maps[0]!, { device: "cpu" });
  const expected = Array.from(eager.forward(images, mode).maps[0]!.toTypedArray());
  const got = (await program(images)).toTypedArray();
  const difference = expected.reduce((most, e, i) => Math.max(most, Math.abs(e - got[i]!)), 0);
  // float64, reordered: the train pass amplifies rounding by statistics over 8 values
  expect(difference).toBeLessThan(1e-9);
});
