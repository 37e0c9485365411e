// Real pictures: training on the blood cells of BCCD, and detections of published weights on photographs, from the folder in
// OREPA_REFERENCE (default: shared/ beside the repository).

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readSafetensors, writeSafetensors } from "@orepa/autograd";
import { modelYaml } from "@orepa/yolo";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { metadataOf } from "./models.ts";
import { run } from "./run.ts";
import { captureIo } from "./testing.ts";
import { type TestFolder, testFolder } from "./testing-data.ts";

// Node 20 cannot run the worker's sources, so without their program the device would do with one thread.
vi.mock(import("@orepa/tensor"), async (original) => {
  const tensor = await original();
  const worker = new URL(inject("worker"));
  return { ...tensor, createWasm: (options) => tensor.createWasm({ ...options, worker }) };
});

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
  const pictures = ["bus.jpg", "zidane.jpg", "horses.jpg"];
  let place: TestFolder;
  let weights: string;
  beforeAll(async () => {
    place = await testFolder();
    const { tensors } = readSafetensors(readFileSync(`${reference}/weights/yolo11n-coco/yolo11n-fused-w8.safetensors`));
    const names = Array.from({ length: 80 }, (_, i) => `class ${i}`);
    const architecture = { label: "YOLO11n", fused: true, ...modelYaml("yolo11n.yaml")! };
    const metadata = metadataOf(architecture, { names, imgsz: 640 });
    weights = await place.write("yolo11n.safetensors", writeSafetensors(tensors, metadata));
  });
  afterAll(() => place.remove());

  /** x1, y1, x2, y2, confidence and class of the boxes of every picture. */
  async function detect(...words: string[]): Promise<readonly (readonly number[][])[]> {
    const io = captureIo({ cwd: place.cwd });
    const source = pictures.map((name) => `${photos}/${name}`).join(",");
    expect(await run(["predict", `model=${weights}`, `source=${source}`, "json", ...words], io), io.errors()).toBe(0);
    const { images } = JSON.parse(io.output().trim().split("\n").at(-1)!) as { images: { boxes: number[][] }[] };
    return images.map(({ boxes }) => boxes);
  }

  /** Two float32 runs of some 90 layers, of the value, or of 1 for smaller ones. */
  const rounding = 1e-4;

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
    const images = await detect();
    pictures.forEach((name, i) => {
      const found = images[i]!;
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

  test("published weights find the same on wasm, with one thread and two, as on the reference device", async () => {
    const [reference, one, two] = [
      await detect("imgsz=160", "device=cpu"),
      await detect("imgsz=160", "device=wasm", "threads=1"),
      await detect("imgsz=160", "device=wasm", "threads=2"),
    ];
    expect(two).toEqual(one);
    reference.forEach((boxes, i) => {
      expect(boxes.length).toBeGreaterThan(0);
      expect(one[i]!.map((box) => box[5])).toEqual(boxes.map((box) => box[5]));
      boxes.forEach((box, k) => {
        box.forEach((value, j) => {
          const most = rounding * Math.max(1, Math.abs(value));
          expect(Math.abs(one[i]![k]![j]! - value), `${pictures[i]} ${k}: ${j}`).toBeLessThan(most);
        });
      });
    });
  });
});
