// Real pictures: training on the blood cells of BCCD, and detections of published weights on photographs, from the folder in
// OREPA_REFERENCE (default: shared/ beside the repository).

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readSafetensors, writeSafetensors } from "@orepa/autograd";
import { modelYaml } from "@orepa/yolo";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { metadataOf } from "./models.ts";
import { run } from "./run.ts";
import { captureIo } from "./testing.ts";
import { type TestFolder, testFolder } from "./testing-data.ts";

const { OREPA_REFERENCE } = process.env;
const reference = OREPA_REFERENCE ?? fileURLToPath(new URL("../../../../shared", import.meta.url));
const data = `${reference}/datasets/bccd/data.yaml`;

describe.skipIf(!existsSync(data))(`with ${data} (skipped where it is absent; set OREPA_REFERENCE)`, () => {
  let place: TestFolder;
  beforeAll(async () => {
    place = await testFolder();
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

const photos = `${reference}/datasets/samples`;
describe.skipIf(!existsSync(photos))(`with ${photos} (skipped where it is absent; set OREPA_REFERENCE)`, () => {
  let place: TestFolder;
  beforeAll(async () => {
    place = await testFolder();
  });
  afterAll(() => place.remove());

  interface Detection {
    readonly cls: number;
    readonly conf: number;
    readonly xyxy: readonly number[];
  }
  const expected: Record<string, { rect640: { detections: readonly Detection[] } }> = JSON.parse(
    readFileSync(`${photos}/expected.json`, "utf8"),
  ).images;

  // The pictures are decoded and resized by other programs than the reference's: pixels differ by a level or two, boxes by less than 3 px.
  test("published weights find on photographs what their own program finds", async () => {
    const { tensors } = readSafetensors(readFileSync(`${reference}/weights/yolo11n-coco/yolo11n-fused-w8.safetensors`));
    const names = Array.from({ length: 80 }, (_, i) => `class ${i}`);
    const architecture = { label: "YOLO11n", fused: true, ...modelYaml("yolo11n.yaml")! };
    const weights = await place.write(
      "yolo11n.safetensors",
      writeSafetensors(tensors, metadataOf(architecture, { names, imgsz: 640 })),
    );
    const pictures = ["bus.jpg", "zidane.jpg", "horses.jpg"];
    const io = captureIo({ cwd: place.cwd });
    const source = pictures.map((name) => `${photos}/${name}`).join(",");
    expect(await run(["predict", `model=${weights}`, `source=${source}`, "json"], io), io.errors()).toBe(0);
    const { images } = JSON.parse(io.output().trim().split("\n").at(-1)!) as { images: { boxes: number[][] }[] };
    pictures.forEach((name, i) => {
      const found = images[i]!.boxes;
      const wanted = expected[name]!.rect640.detections;
      expect(
        found.map((box) => box[5]),
        name,
      ).toEqual(wanted.map(({ cls }) => cls));
      wanted.forEach(({ conf, xyxy }, k) => {
        expect(Math.abs(found[k]![4]! - conf), `${name} ${k}: confidence`).toBeLessThan(0.02);
        xyxy.forEach((side, j) => {
          expect(Math.abs(found[k]![j]! - side), `${name} ${k}: side ${j}`).toBeLessThan(3);
        });
      });
    });
  });
});
