// The fused architecture with the published COCO weights of yolo11n against a reference run in float32. The weights are not part of
// the project: they are read from the folder in OREPA_REFERENCE (default: shared, beside the repository).

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadStateDict, readSafetensors } from "@orepa/autograd";
import { fromData, type Tensor } from "@orepa/tensor";
import { describe, expect, test } from "vitest";
import { runOnWasm } from "../../../autograd/src/testing/wasm-devices.cases.ts";
import { buildModel } from "./parser.ts";
import { modelYaml } from "./yaml/model-yaml.ts";

const { OREPA_REFERENCE: reference = fileURLToPath(new URL("../../../../../shared", import.meta.url)) } = process.env;
const folder = `${reference}/weights/yolo11n-coco`;
const reason = existsSync(folder) ? "" : ` (skipped: no ${folder}; set OREPA_REFERENCE)`;

describe.skipIf(reason !== "")(`yolo11n with published weights${reason}`, () => {
  const bytes = (file: string): Uint8Array => new Uint8Array(readFileSync(`${folder}/${file}`));
  const floats = (file: string): Float32Array => new Float32Array(bytes(file).buffer);

  const image = patternImage(64, 96);
  /** The head's inputs and the boxes. */
  const detect = (x: Tensor): Record<string, Tensor> => {
    const model = buildModel(modelYaml("yolo11n.yaml").text, { scale: "n", fused: true });
    loadStateDict(model, readSafetensors(bytes("yolo11n-fused-w8.safetensors")).tensors);
    const neck = new Map<number, Tensor>();
    const { decoded } = model.forward(x, "eval", (index, output) => neck.set(index, output));
    return { map16: neck.get(16)!, map19: neck.get(19)!, map22: neck.get(22)!, decoded: decoded! };
  };
  const check = ({ map16, map19, map22, decoded }: Readonly<Record<string, Tensor>>): void => {
    const maps = [map16, map19, map22].flatMap((map) => Array.from(map!.toTypedArray()));
    expectClose(maps, floats("golden_neck.f32"));
    expect(decoded!.shape).toEqual([1, 84, 126]);
    expectClose(Array.from(decoded!.toTypedArray()), floats("golden_out.f32"));
  };

  test("gives the reference's head inputs and boxes", () => check(detect(image)));

  test("gives them on wasm", async () => {
    check(Object.fromEntries(await runOnWasm(() => ({ inputs: [image], run: (x) => detect(x!) }))));
  });
});

/** x[c][y][x] = ((37 c + 11 y + 5 x + 9 (x y mod 17)) mod 256) / 255: the input of the reference run. */
function patternImage(height: number, width: number): Tensor {
  const image = new Float32Array(3 * height * width);
  let i = 0;
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) image[i++] = ((37 * c + 11 * y + 5 * x + 9 * ((x * y) % 17)) % 256) / 255;
  return fromData(image, [1, 3, height, width]);
}

/** Two float32 runs of some 90 layers: a thousandth of the value, or of 1 for smaller ones. */
const tolerance = 1e-3;

function expectClose(actual: readonly number[], expected: Float32Array): void {
  expect(actual).toHaveLength(expected.length);
  const worst = actual.reduce((most, a, i) => {
    return Math.max(most, Math.abs(a - expected[i]!) / Math.max(1, Math.abs(expected[i]!)));
  }, 0);
  expect(worst).toBeLessThanOrEqual(tolerance);
}
