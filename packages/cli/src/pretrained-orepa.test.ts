// Published weights in a network of OREPA blocks: the same detections and the same mAP. The weights and pictures are not part of the
// project: they are read from the folder in OREPA_REFERENCE (default: shared/ beside the repository).

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadStateDict, namedModules, readSafetensors } from "@orepa/autograd";
import { isLinearBlock } from "@orepa/orepa";
import { createWasm, Generator, rand } from "@orepa/tensor";
import { buildModel, type Dataset, type DetectModel, modelYaml, validate } from "@orepa/yolo";
import { afterAll, describe, expect, test } from "vitest";
import { expectClose } from "../../orepa/src/close.cases.ts";
import { openSplit } from "./data.ts";
import { registry } from "./registry.ts";
import { captureIo } from "./testing.ts";
import { transfer } from "./transfer.ts";

const { OREPA_REFERENCE } = process.env;
const reference = OREPA_REFERENCE ?? fileURLToPath(new URL("../../../../shared", import.meta.url));
const weights = `${reference}/weights/yolo11n-coco/yolo11n-fused-w8.safetensors`;
const data = `${reference}/datasets/coco128/data.yaml`;
const reason = [weights, data].every(existsSync) ? "" : ` (skipped: no ${weights} or ${data}; set OREPA_REFERENCE)`;

describe.skipIf(reason !== "")(`yolo11n with published weights, as OREPA blocks${reason}`, () => {
  const device = createWasm();
  afterAll(() => device.dispose());
  const { tensors, metadata } = readSafetensors(readFileSync(weights));
  const plain = buildModel(modelYaml("yolo11n.yaml").text, { scale: "n", fused: true });
  loadStateDict(plain, tensors);
  const orepa = buildModel(modelYaml("yolo11n-OREPA.yaml").text, { scale: "n", registry });
  const { message, uncalibrated } = transfer(orepa, { file: weights, checkpoint: { tensors, metadata } });

  const measure = async (model: DetectModel, dataset: Dataset) => {
    const found = await validate({
      model,
      dataset,
      device,
      batch: 4,
      imgsz: 640,
      rect: true,
      iou: 0.7,
      maxDetections: 300,
    });
    return found!.all; // nothing asks it to stop
  };

  test("all six blocks start as their convolutions", () => {
    expect(message).toMatch(/, 6 convolutions as OREPA blocks of the same function$/);
    expect(uncalibrated).toBe(true);
    expect([...namedModules(orepa)].filter(([, module]) => isLinearBlock(module))).toHaveLength(6);
  });

  test("boxes and classes of a picture are the same", () => {
    const image = rand([1, 3, 96, 64], { generator: new Generator(5) });
    expectClose("detections", orepa.predict(image), plain.predict(image), 1e-4);
  });

  test("mAP on the validation pictures of coco128 is the same to 0.001", async () => {
    const dataset = await openSplit(
      "val",
      { data, imgsz: 640, seed: 0, fraction: 1, singleClass: false, workers: 0 },
      captureIo(),
    );
    const [expected, got] = [await measure(plain, dataset), await measure(orepa, dataset)];
    expect(Math.abs(got.map - expected.map)).toBeLessThan(1e-3);
    expect(Math.abs(got.map50 - expected.map50)).toBeLessThan(1e-3);
    // The reference's own figure, with another decoder of pictures.
    expect(Math.abs(expected.map - 0.464)).toBeLessThan(0.01);
  });
});
