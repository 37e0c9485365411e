// Model text: the channel and repeat rules, and what a user reads when the text is wrong.

import { describe, expect, test } from "vitest";
import { UserError } from "../errors.ts";
import { layerTable } from "./info.ts";
import { buildModel } from "./parser.ts";
import { modelYaml } from "./yaml/model-yaml.ts";

const head = "head:\n  - [-1, 1, Detect, [nc]]\n";
const model = (rows: string, options = {}, rest = head) =>
  buildModel(`nc: 2\nbackbone:\n${rows}\n${rest}`, { ...options });
const good = "  - [-1, 1, Conv, [16, 3, 2]]\n  - [-1, 1, Conv, [16, 3, 2]]";

describe("rules", () => {
  test("names resolve to text and scale", () => {
    expect(modelYaml("yolo11s-OREPA.yaml")).toMatchObject({ name: "yolo11-OREPA", scale: "s" });
    expect(modelYaml("yolo11x")).toMatchObject({ name: "yolo11", scale: "x" });
    expect(modelYaml("yolo11.yaml").scale).toBeUndefined();
    expect(modelYaml("yolo11n-OREPA.yaml").text).toContain("OREPA, [128, 3, 2]");
  });

  test("without a scale the first one of the text is taken, without scales nothing is scaled", () => {
    expect(buildModel(modelYaml("yolo11.yaml").text).source.scale).toBe("n");
    expect(layerTable(model("  - [-1, 1, Conv, [20, 3, 2]]\n  - [-1, 2, C3k2, [20]]"))[1]).toMatchObject({
      repeats: 2,
      args: [24, 24, 2, false],
    });
  });

  test("channels are limited, scaled and rounded up to a multiple of 8; a number equal to nc stays", () => {
    const text = `scales: { q: [0.5, 0.3, 100] }\nbackbone:\n  - [-1, 1, Conv, [200, 3, 2]]\n  - [-1, 1, Conv, [7, 3, 2]]\n${head}`;
    expect(layerTable(buildModel(text, { nc: 7 })).map((row) => row.args)).toEqual([
      [3, 32, 3, 2],
      [32, 7, 3, 2],
      [7, [7]],
    ]);
  });

  test.each([
    [1, 0.33, 1],
    [2, 0.5, 1],
    [3, 0.5, 2],
    [5, 0.5, 2],
    [3, 0.1, 1],
  ])("%i repeats at depth %f become %i", (repeats, depth, expected) => {
    const text = `nc: 2\nscales: { q: [${depth}, 1, 64] }\nbackbone:\n  - [-1, 1, Conv, [8]]\n  - [-1, ${repeats}, C3k2, [8]]\n${head}`;
    expect(layerTable(buildModel(text))[1]!.repeats).toBe(expected);
  });

  test("nc of the option replaces that of the text", () => {
    expect(model(good, { nc: 5 }).nc).toBe(5);
    expect(model(good).nc).toBe(2);
  });

  test("inputs may be counted back, and None is nothing", () => {
    const built = model(
      `${good}\n  - [-2, 1, MaxPool2d, [2]]`,
      {},
      "head:\n  - [-1, 1, Upsample, [None, 2, nearest]]\n  - [[3, -2], 1, Detect, [nc]]\n",
    );
    expect(built.strides).toEqual([2, 4]);
    expect(built.save).toEqual([0, 2, 3]);
  });
});

describe("errors are clear", () => {
  test.each<[string, () => unknown, RegExp]>([
    ["not YAML", () => buildModel("a: [1, 2"), /model text: expected YAML, got .*line 1/],
    ["not a mapping", () => buildModel("- 1"), /expected a mapping with backbone and head, got \[1\]/],
    ["no backbone", () => buildModel("nc: 1\nhead: []"), /expected backbone to be a list of rows, got nothing/],
    ["a bad nc", () => buildModel("nc: many\nbackbone: []"), /expected nc to be a positive whole number, got "many"/],
    ["no nc", () => buildModel(`backbone:\n${good}\n${head}`), /expected nc, the number of classes/],
    ["a bad scale row", () => buildModel("nc: 1\nscales: { n: [1, 2] }"), /expected scale n to be \[depth, width/],
    ["an unknown scale", () => buildModel(modelYaml("yolo11.yaml").text, { scale: "q" }), /\(n, s, m, l, x\), got "q"/],
    [
      "a short row",
      () => model("  - [-1, 1, Conv]"),
      /expected backbone row 0 to be \[from, repeats, block, arguments\]/,
    ],
    ["a block that is no name", () => model("  - [-1, 1, 3, []]"), /third entry of backbone row 0 to be the name/],
    ["no repeats", () => model("  - [-1, 0, Conv, [8]]"), /repeats of backbone row 0 .* got 0/],
    ["a later input", () => model("  - [4, 1, Conv, [8]]"), /inputs of backbone row 0 \(layer 0\) .* got 4/],
    [
      "an unknown block",
      () => model("  - [-1, 1, Cnov, [8]]"),
      /got "Cnov"; known are .*C3k2.*Concat, Conv, DWConv, Detect/,
    ],
    [
      "a property of objects as a block",
      () => model("  - [-1, 1, toString, [8]]"),
      /expected a known block, got "toString"/,
    ],
    [
      "a missing argument",
      () => model("  - [-1, 1, Conv, []]"),
      /layer 0 \(Conv\): expected argument 0 \(output channels\).*nothing/,
    ],
    ["a wrong argument", () => model("  - [-1, 1, Conv, [8, big]]"), /argument 1 \(kernel size\).*got "big"/],
    [
      "repeats of a block that has none",
      () => model("  - [-1, 3, Conv, [8]]"),
      /layer 0 \(Conv\): expected 1 repeat, got 3/,
    ],
    ["a join of two sizes", () => model(`${good}\n  - [[0, 1], 1, Concat, [1]]`), /strides 2 and 4; resize first/],
    [
      "no head",
      () => model(good, {}, "head:\n  - [-1, 1, Conv, [8]]"),
      /layer 2 \(Conv\): expected a head as the last layer/,
    ],
    [
      "two heads",
      () => model(`${good}\n  - [-1, 1, Detect, [nc]]`),
      /layer 2 \(Detect\): expected a head as the last layer/,
    ],
    ["several inputs of one", () => model(`${good}\n  - [[0, 1], 1, Conv, [8]]`), /expected one input, got 2/],
    ["a narrow C2PSA", () => model("  - [-1, 1, Conv, [64]]\n  - [-1, 1, C2PSA, [64]]"), /64 hidden channels/],
    [
      "a C2PSA that changes channels",
      () => model("  - [-1, 1, C2PSA, [64]]"),
      /as many output as input channels, got 3 -> 64/,
    ],
    [
      "a sized Upsample",
      () => model("  - [-1, 1, Upsample, [64, 2]]"),
      /expected \[null, factor, nearest or bilinear\]/,
    ],
    ["an unknown model", () => modelYaml("yolo12n.yaml"), /got "yolo12n.yaml"; known are yolo11n.yaml/],
  ])("%s", (_, run, message) => {
    expect(run).toThrow(UserError);
    expect(run).toThrow(message);
  });
});
