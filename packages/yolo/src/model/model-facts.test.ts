// Every scale of yolo11 against the reference's facts: table, layers, parameters, operations, strides, state dict.

import { namedVariables, toDtype } from "@orepa/autograd";
import { describe, expect, test } from "vitest";
import { formatLayerTable, gigaFlops, layerTable, modelInfo, summary } from "./info.ts";
import { readJson } from "./parity.cases.ts";
import { buildModel } from "./parser.ts";
import { modelYaml } from "./yaml/model-yaml.ts";

interface Facts {
  readonly layers: number;
  readonly params: number;
  readonly gradients: number;
  readonly gflops: number;
  readonly stride: readonly number[];
  readonly save: readonly number[];
  readonly nc: number;
  readonly state_dict_entries: number;
  readonly summary: string;
  readonly table: readonly unknown[];
  readonly fused: { readonly layers: number; readonly params: number; readonly gflops: number };
}

const facts = readJson<{ models: Record<string, Facts> }>("model-facts.json").models;

describe.each(["n", "s", "m", "l", "x"])("yolo11%s", (scale) => {
  const expected = facts[`yolo11${scale}`]!;
  const { text } = modelYaml("yolo11.yaml");

  test("has the reference's layers, parameters, operations, strides and table", () => {
    const model = buildModel(text, { scale });
    const info = modelInfo(model);
    expect(info.layers).toBe(expected.layers);
    expect(info.parameters).toBe(expected.params);
    expect(info.gradients).toBe(expected.gradients);
    expect(info.gflops).toBeCloseTo(expected.gflops, 9);
    expect(summary("YOLO11", info)).toBe(`YOLO11 summary: ${expected.summary}`);
    expect(model.strides).toEqual(expected.stride);
    expect(model.save).toEqual(expected.save);
    expect(model.nc).toBe(expected.nc);
    expect(namedVariables(model).size).toBe(expected.state_dict_entries);
    const rows = layerTable(model).map((row) => [row.index, row.from, row.repeats, row.module, row.args, row.params]);
    expect(rows).toEqual(expected.table);
  });

  test("has the reference's layers, parameters and operations when fused", () => {
    const info = modelInfo(buildModel(text, { scale, fused: true }));
    expect(info.layers).toBe(expected.fused.layers);
    expect(info.parameters).toBe(expected.fused.params);
    expect(info.gflops).toBeCloseTo(expected.fused.gflops, 9);
  });
});

test("yolo11n has the reference's state dict: names, order and shapes", () => {
  const expected = Object.entries(readJson<{ yolo11n: Record<string, number[]> }>("state-dict-n.json").yolo11n);
  const model = buildModel(modelYaml("yolo11n.yaml").text, { scale: "n" });
  expect([...namedVariables(model)].map(([key, { shape }]) => [key, [...shape]])).toEqual(expected);
});

test("operations do not depend on the dtype and grow with the area of the image", () => {
  const model = buildModel(modelYaml("yolo11n.yaml").text, { scale: "n" });
  const single = gigaFlops(model);
  expect(gigaFlops(toDtype(model, "float64"))).toBe(single);
  expect(gigaFlops(model, 320)).toBeCloseTo(single / 4, 9);
});

test("counting operations leaves running statistics alone", () => {
  const model = buildModel(modelYaml("yolo11n.yaml").text, { scale: "n" });
  gigaFlops(model);
  expect(namedVariables(model).get("model.0.bn.num_batches_tracked")!.value.item()).toBe(0);
});

test("the layer table is printed in columns", () => {
  const rows = layerTable(buildModel(modelYaml("yolo11n.yaml").text, { scale: "n" }));
  const lines = formatLayerTable(rows).split("\n");
  expect(lines).toHaveLength(25);
  expect(lines[0]!.trim().split(/\s+/)).toEqual(["from", "n", "params", "module", "arguments"]);
  expect(lines[12]).toBe(
    "".concat(" 11", "-1".padStart(20), "  1", "0".padStart(10), "  ", "Upsample".padEnd(45), "[null, 2, 'nearest']"),
  );
  expect(lines[24]).toMatch(/^ 23 {8}\[16, 19, 22\] {2}1 {4}464912 {2}Detect +\[80, \[64, 128, 256\]\]$/);
});
