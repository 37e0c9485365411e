// Training on real pictures: the blood cells of BCCD, from the folder in OREPA_REFERENCE (default: shared/ beside the repository).

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "./run.ts";
import { captureIo } from "./testing.ts";
import { type Workplace, workplace } from "./testing-data.ts";

const { OREPA_REFERENCE } = process.env;
const reference = OREPA_REFERENCE ?? fileURLToPath(new URL("../../../../shared", import.meta.url));
const data = `${reference}/datasets/bccd/data.yaml`;

describe.skipIf(!existsSync(data))(`with ${data} (skipped where it is absent; set OREPA_REFERENCE)`, () => {
  let place: Workplace;
  beforeAll(async () => {
    place = await workplace();
  });
  afterAll(() => place.remove());

  test("a small detector trains on blood cells and predicts on one of them", async () => {
    const io = captureIo({ cwd: place.cwd });
    const words = ["model=tiny.yaml", "epochs=1", "imgsz=64", "batch=4", "fraction=0.04", "val=false"];
    expect(await run(["train", `data=${data}`, ...words], io), io.errors()).toBe(0);
    expect(io.errors()).toBe("");
    expect(io.output()).toMatch(/train: .*bccd.data\.yaml: 8 pictures, 0 backgrounds, 0 problems left out/);
    expect(io.output()).toMatch(/Detect +\[3, \[8, 8, 8\]\]/);

    const predicted = captureIo({ cwd: place.cwd });
    const picture = `${reference}/datasets/bccd/images/train/BloodImage_00001.jpg`;
    const weights = "model=runs/detect/train/weights/deployed.safetensors";
    expect(await run(["predict", weights, `source=${picture}`, "conf=0", "json"], predicted)).toBe(0);
    expect(predicted.output()).toMatch(/image 1\/1 .*BloodImage_00001\.jpg: 640x480 /);
  });
});
