// yolo11-OREPA against the reference: facts, state dict, forward passes in float64 and in float32 on wasm, and its deployed form.

import { type Mode, namedVariables, stateDict } from "@orepa/autograd";
import type { Tensor } from "@orepa/tensor";
import { buildModel, type DetectModel, type DetectOutput, fuse, layerTable, modelInfo, modelYaml } from "@orepa/yolo";
import { beforeAll, describe, expect, test } from "vitest";
import { runOnWasm } from "../../autograd/src/testing/wasm-devices.cases.ts";
import {
  type Deviation,
  expectWithin,
  forwardSubject,
  readJson,
  readTensors,
  withFixtureWeights,
} from "../../yolo/src/model/parity.cases.ts";
import { registry } from "./registry.ts";

const { text } = modelYaml("yolo11-OREPA.yaml");
const build = (scale: string, fused = false): DetectModel => buildModel(text, { scale, registry, fused });

interface Facts {
  readonly layers: number;
  readonly params: number;
  readonly gradients: number;
  readonly stride: readonly number[];
  readonly save: readonly number[];
  readonly state_dict_entries: number;
  readonly table: readonly unknown[];
  readonly orepa_deployed_and_fused: { readonly layers: number; readonly params: number; readonly gflops: number };
}
const { models } = readJson<{ models: Record<string, Facts & { readonly gflops: number }> }>("model-facts.json");

describe.each(["n", "s", "m", "l", "x"])("yolo11%s-OREPA", (scale) => {
  const expected = models[`yolo11${scale}-OREPA`]!;

  test("has the reference's layers, parameters, strides and table", () => {
    const model = build(scale);
    const info = modelInfo(model);
    expect(info.layers).toBe(expected.layers);
    expect(info.parameters).toBe(expected.params);
    expect(info.gradients).toBe(expected.gradients);
    expect(model.strides).toEqual(expected.stride);
    expect(model.save).toEqual(expected.save);
    expect(namedVariables(model).size).toBe(expected.state_dict_entries);
    const rows = layerTable(model).map((row) => [row.index, row.from, row.repeats, row.module, row.args, row.params]);
    expect(rows).toEqual(expected.table);
    // The reference's counter does not see the convolution with the merged kernel; ours counts it, so the operations are those of
    // the plain model.
    expect(info.gflops).toBeCloseTo(models[`yolo11${scale}`]!.gflops, 9);
  });

  test("has the reference's layers, parameters and operations when deployed", () => {
    const info = modelInfo(build(scale, true));
    expect(info.layers).toBe(expected.orepa_deployed_and_fused.layers);
    expect(info.parameters).toBe(expected.orepa_deployed_and_fused.params);
    expect(info.gflops).toBeCloseTo(expected.orepa_deployed_and_fused.gflops, 9);
  });
});

test("yolo11n-OREPA has the reference's state dict: names, order and shapes", () => {
  const expected = readJson<Record<string, Record<string, number[]>>>("state-dict-n.json")["yolo11n-OREPA"]!;
  const got = [...namedVariables(build("n"))].map(([key, { shape }]) => [key, [...shape]]);
  expect(got).toEqual(Object.entries(expected));
});

describe("yolo11n-OREPA with drawn weights", () => {
  const stored = readTensors("forward-orepa.safetensors");
  const deviations = readJson<{ tensors: Record<string, Deviation> }>("forward-tolerance.json").tensors;
  const input = stored.get("64x64.input")!;
  const layers = new Map<number, Tensor>();
  let evaluated: DetectOutput;
  let trained: DetectOutput;
  let after: ReadonlyMap<string, Tensor>;
  let model: DetectModel;

  beforeAll(() => {
    model = withFixtureWeights(build("n"));
    evaluated = model.forward(input, "eval", (index, output) => layers.set(index, output));
    trained = model.forward(input, "train");
    after = stateDict(model);
  });

  const check = (what: string, actual: Tensor): void =>
    expectWithin(what, actual, stored.get(`64x64.${what}`)!, deviations[`OREPA.64x64.${what}`]!);

  test("OREPA layers, maps and boxes agree in eval mode", () => {
    for (const index of [1, 3, 5, 7, 17, 20]) check(`eval.layer.${index}`, layers.get(index)!);
    evaluated.maps.forEach((map, level) => {
      check(`eval.feat.${level}`, map);
    });
    check("eval.output", evaluated.decoded!);
  });

  test("maps agree in train mode", () => {
    trained.maps.forEach((map, level) => {
      check(`train.feat.${level}`, map);
    });
  });

  test("running statistics agree after one train forward", () => {
    const keys = [...stored.keys()].filter((key) => key.startsWith("64x64.train.after."));
    expect(keys).not.toHaveLength(0);
    for (const key of keys) check(key.slice("64x64.".length), after.get(key.slice("64x64.train.after.".length))!);
  });

  test("fused, it computes the same with the architecture and names of the fused plain model", () => {
    const { model: fused, deviation } = fuse(model, { probe: input });
    expect(deviation).toBeGreaterThan(0);
    const plain = namedVariables(buildModel(modelYaml("yolo11n.yaml").text, { scale: "n", fused: true }));
    const shapes = (variables: ReadonlyMap<string, { readonly shape: readonly number[] }>) =>
      [...variables].map(([key, { shape }]) => [key, [...shape]]);
    expect(shapes(namedVariables(fused))).toEqual(shapes(plain));
    expect(fuse(fused, { probe: input }).model).toBe(fused);
  });

  test.each<Mode>(["eval", "train"])("all of it agrees on wasm in %s mode", async (mode) => {
    const found = await runOnWasm(forwardSubject(() => withFixtureWeights(build("n")), input, mode));
    const wanted = [...stored.keys()].filter((key) => key.startsWith(`64x64.${mode}.`));
    expect(wanted).toHaveLength(mode === "eval" ? 10 : 7);
    for (const key of wanted.map((name) => name.slice("64x64.".length))) check(key, found.get(key)!);
  });

  test("fused, its maps and boxes agree on wasm", async () => {
    const createModel = () => fuse(withFixtureWeights(build("n")), { probe: input }).model;
    const found = await runOnWasm(forwardSubject(createModel, input, "eval"));
    for (const key of ["eval.feat.0", "eval.feat.1", "eval.feat.2", "eval.output"]) check(key, found.get(key)!);
  });
});
