// The whole way: train, stop and go on, validate, predict, and the JSON of each.

import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { readSafetensors } from "@orepa/autograd";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { run } from "./run.ts";
import { captureIo } from "./testing.ts";
import { type TestFolder, testFolder, writeDigits } from "./testing-data.ts";

let place: TestFolder;
beforeEach(async () => {
  place = await testFolder();
});
afterEach(() => place.remove());

const TINY = ["model=tiny.yaml", "imgsz=32", "batch=2", "fraction=0.006"];
const read = (name: string) => readFile(path.join(place.cwd, name), "utf8");
const bytes = (name: string) => readFile(path.join(place.cwd, name));

async function succeed(...argv: string[]): Promise<string> {
  const io = captureIo({ cwd: place.cwd });
  const code = await run(argv, io);
  expect(io.errors()).toBe("");
  expect(code).toBe(0);
  return io.output();
}

interface Json {
  readonly deviation?: number;
  readonly deployed?: unknown;
}
const lastLine = (output: string) => JSON.parse(output.trimEnd().split("\n").at(-1)!) as Json;

test("training on the digits fills the run folder, and what it writes can be validated and used alone", async () => {
  const output = await succeed("train", ...TINY, "epochs=2", "json");
  expect(output).toContain("model.1: OREPA 8->8 3x3 s2");
  expect(output).toMatch(/tiny summary: \d+ layers, [\d,]+ parameters/);
  expect(output).toMatch(/optimizer: AdamW\(lr=0\.004, momentum=0\.937\) with parameter groups/);
  expect(output).toMatch(/^ +1\/2 .*\n +2\/2 /m);
  expect(output).toMatch(/largest deviation \d/);
  expect(output).toMatch(/Speed: .*ms inference/);

  expect(output).toMatch(/^ +blocks +kind +deviation +largest at +parameters +deployed +GFLOP +deployed\n +\d+ +Conv/m);
  expect(output).toMatch(/^ +2 +OREPA +\d\.\de-\d+ +model\.[12] +[\d,]+ +[\d,]+ +0\.\d{3} +0\.\d{3}$/m);

  const result = lastLine(output);
  expect(Object.keys(result).sort()).toEqual(
    ["best", "deployed", "deviation", "epochs", "last", "map50", "map50_95", "run"].sort(),
  );
  expect(result).toMatchObject({ epochs: 2, run: path.join(place.cwd, "runs/detect/train") });
  expect(result.deviation).toBeLessThan(1e-4);

  const files = (await readdir(path.join(place.cwd, "runs/detect/train"), { recursive: true })).sort();
  expect(files).toEqual(
    [
      "PR_curve.png",
      "args.yaml",
      "confusion_matrix.png",
      "labels.png",
      "results.csv",
      "results.png",
      "train_batch0.jpg",
      "train_batch1.jpg",
      "train_batch2.jpg",
      "val_batch0_labels.jpg",
      "val_batch0_pred.jpg",
      "weights",
      "weights/best.safetensors",
      "weights/deployed.safetensors",
      "weights/deployed.txt",
      "weights/last.safetensors",
    ].sort(),
  );
  expect(parse(await read("runs/detect/train/args.yaml"))).toMatchObject({
    task: "detect",
    mode: "train",
    epochs: 2,
    imgsz: 32,
    fliplr: 0,
  });
  expect((await read("runs/detect/train/results.csv")).split("\n")).toHaveLength(4);

  const deployed = readSafetensors(await bytes("runs/detect/train/weights/deployed.safetensors"));
  expect([...deployed.tensors.keys()].filter((key) => /orepa|bn|train\//.test(key))).toEqual([]);
  expect(deployed.metadata).toMatchObject({ fused: "true" });

  await writeDigits(place, { scenes: 2 });
  for (const name of ["best", "deployed"]) {
    const weights = `model=runs/detect/train/weights/${name}.safetensors`;
    const measured = lastLine(await succeed("val", weights, "data=data/data.yaml", "plots=false", "json"));
    expect(measured).toMatchObject({ images: 2, map50: expect.any(Number), map50_95: expect.any(Number) });
    expect(Object.keys(measured)).toEqual(["images", "instances", "map50", "map50_95", "speed_ms"]);
    const facts = lastLine(await succeed("info", weights, "json"));
    expect(facts.deployed).toMatchObject({ parameters: expect.any(Number) });
  }
});

test("export writes the deployed network of weights and a row for every block", async () => {
  await succeed("train", ...TINY, "epochs=1", "plots=false");
  const weights = path.join(place.cwd, "runs/detect/train/weights");
  const output = await succeed("export", "model=runs/detect/train/weights/best.safetensors", "json");
  const { deployed, deviation } = lastLine(output);
  expect(deployed).toBe(path.join(weights, "best-deployed.safetensors"));
  expect(deviation).toBeLessThan(1e-4);
  expect(
    Buffer.compare(await readFile(deployed as string), await readFile(path.join(weights, "deployed.safetensors"))),
  ).toBe(0);
  const rows = (await readFile(path.join(weights, "best-deployed.txt"), "utf8")).split("\n");
  expect(rows).toEqual((await readFile(path.join(weights, "deployed.txt"), "utf8")).split("\n"));
  expect(rows.filter((row) => /^model\.[12] +OREPA +\d\.\de-\d+ /.test(row))).toHaveLength(2);
  expect(rows.at(-2)).toMatch(/^whole network +\d/);
});

test("a training that was stopped and goes on writes the same rows and weights as one that was not", async () => {
  const words = ["train", ...TINY, "epochs=2", "plots=false", "name"];
  await succeed(...words, "=", "whole");
  const whole = {
    csv: await read("runs/detect/whole/results.csv"),
    last: await bytes("runs/detect/whole/weights/last.safetensors"),
  };

  // Ctrl-C at the second batch of the first epoch.
  let shown = 0;
  const io = captureIo({
    cwd: place.cwd,
    isTerminal: true,
    watch: (text, terminal) => {
      if (/\r +1\/2 /.test(text) && ++shown === 2) terminal.interrupt();
    },
  });
  let now = 0;
  const code = await run([...words, "=", "halves"], { ...io, now: () => (now += 1000) });
  expect(code).toBe(130);
  expect(io.output()).toContain("Ctrl-C again quits at once");
  const line = /^pnpm --filter cli (train resume=.*)$/m.exec(io.output())?.[1];
  expect(line).toBe(`train resume=${path.join(place.cwd, "runs/detect/halves/weights/last.safetensors")}`);

  expect(await succeed(...line!.split(" "))).toMatch(/from epoch 1, batch \d/);
  expect(await read("runs/detect/halves/results.csv")).toBe(whole.csv);
  const halves = readSafetensors(await bytes("runs/detect/halves/weights/last.safetensors")).tensors;
  for (const [key, tensor] of readSafetensors(whole.last).tensors) {
    expect(halves.get(key)!.toTypedArray(), key).toEqual(tensor.toTypedArray());
  }
});

test("a second Ctrl-C quits at once: after the first one the program no longer listens", async () => {
  let listened = false;
  const io = captureIo({
    cwd: place.cwd,
    watch: (text, terminal) => {
      if (!text.startsWith("Training for")) return;
      listened = terminal.listening();
      terminal.interrupt();
    },
  });
  expect(await run(["train", ...TINY, "epochs=1", "plots=false"], io)).toBe(130);
  expect([listened, io.listening()]).toEqual([true, false]);
});

test("predict draws every picture, writes labels on request and lists boxes as JSON", async () => {
  await succeed("train", ...TINY, "epochs=1", "plots=false");
  await writeDigits(place, { scenes: 2 });
  await place.write("data/images/val/broken.jpg", "no picture");
  const io = captureIo({ cwd: place.cwd });
  const words = [
    "model=runs/detect/train/weights/deployed.safetensors",
    "source=data/images/val",
    "conf=0",
    "max_det=3",
  ];
  expect(await run(["predict", ...words, "save_txt", "save_conf", "json"], io)).toBe(0);
  expect(io.errors()).toMatch(/^warning: .*broken\.jpg.*left out\)\n$/);
  const { images } = lastLine(io.output()) as { images: { path: string; boxes: number[][] }[] };
  expect(images.map((image) => path.basename(image.path))).toEqual(["0.jpg", "1.jpg"]);
  for (const { boxes } of images) {
    expect(boxes).toHaveLength(3);
    for (const [x1, y1, x2, y2, confidence, classIndex] of boxes as [
      number,
      number,
      number,
      number,
      number,
      number,
    ][]) {
      expect(0 <= x1 && x1 <= x2 && x2 <= 64 && 0 <= y1 && y1 <= y2 && y2 <= 64).toBe(true);
      expect(confidence).toBeGreaterThan(0);
      expect(Number.isInteger(classIndex)).toBe(true);
    }
  }
  const folder = "runs/detect/predict";
  expect((await readdir(path.join(place.cwd, folder))).sort()).toEqual(["0.jpg", "1.jpg", "args.yaml", "labels"]);
  const rows = (await read(`${folder}/labels/0.txt`)).trimEnd().split("\n");
  expect(rows).toHaveLength(3);
  expect(rows[0]!.split(" ")).toHaveLength(6);
});

test("weights of another number of classes are adapted when they are trained on", async () => {
  await succeed("train", ...TINY, "epochs=1", "plots=false");
  await writeDigits(place, { scenes: 2 });
  await place.write("data/two.yaml", "train: images/train\nval: images/val\nnames: [a, b]\n");
  for (const split of ["train", "val"]) {
    for (const i of [0, 1]) await place.write(`data/labels/${split}/${i}.txt`, `${i} 0.5 0.5 0.3 0.3\n`);
  }
  const words = [
    "train",
    "model=runs/detect/train/weights/best.safetensors",
    "data=data/two.yaml",
    "epochs=1",
    "imgsz=32",
    "plots=false",
  ];
  expect(await succeed(...words)).toMatch(/Transferred \d+\/\d+ entries/);
  const io = captureIo({ cwd: place.cwd });
  expect(await run(["val", "model=runs/detect/train2/weights/best.safetensors"], io)).toBe(2);
  expect(io.errors()).toContain("expected 2 classes");
});

test("info counts the published model", async () => {
  const facts = lastLine(await succeed("info", "model=yolo11n-OREPA.yaml", "json"));
  expect(facts).toMatchObject({
    parameters: 4208528,
    gradients: 4208512,
    layers: 314,
    deployed: { parameters: 2616248 },
  });
});
