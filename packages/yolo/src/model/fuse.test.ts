// Fusing yolo11n: the same function, fewer layers, and a refusal when it is not the same.

import { stateDict, toDtype } from "@orepa/autograd";
import { Generator, rand } from "@orepa/tensor";
import { expect, test } from "vitest";
import { FuseError, fuse } from "./fuse.ts";
import { withFixtureWeights } from "./parity.cases.ts";
import { buildModel } from "./parser.ts";
import { modelYaml } from "./yaml/model-yaml.ts";

const model = withFixtureWeights(buildModel(modelYaml("yolo11n.yaml").text, { scale: "n", nc: 4 }));
const images = (dtype: "float32" | "float64") => rand([1, 3, 64, 64], { generator: new Generator(3), dtype });

test("a fused model computes the same, in the dtype of the original", () => {
  const { model: fused, deviation } = fuse(model, { probe: images("float64") });
  expect(deviation).toBeGreaterThan(0);
  expect(deviation).toBeLessThan(1e-12);
  expect(stateDict(fused).get("model.0.conv.bias")!.dtype).toBe("float64");
  expect([...stateDict(fused).keys()].filter((key) => key.includes(".bn."))).toEqual([]);
});

test("fusing a fused model changes nothing", () => {
  const { model: fused } = fuse(model, { probe: images("float64") });
  expect(fuse(fused, { probe: images("float64") })).toEqual({ model: fused, deviation: 0 });
});

test("a float32 model is merged in float64 and stays within rounding; a smaller tolerance is refused", () => {
  const single = buildModel(modelYaml("yolo11n.yaml").text, { scale: "n", nc: 4 });
  withFixtureWeights(single);
  toDtype(single, "float32");
  const probe = images("float32");
  const { model: fused, deviation } = fuse(single, { probe });
  expect(stateDict(fused).get("model.0.conv.weight")!.dtype).toBe("float32");
  expect(deviation).toBeGreaterThan(0);
  expect(() => fuse(single, { probe, tolerance: deviation / 2 })).toThrow(FuseError);
});
