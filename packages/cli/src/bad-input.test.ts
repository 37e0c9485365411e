// Every mistake of the user: exit code 2, one line on standard error that says what to do, no stack.

import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { readSafetensors, writeSafetensors } from "@orepa/autograd";
import { zeros } from "@orepa/tensor";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { run } from "./run.ts";
import { captureIo } from "./testing.ts";
import { type TestFolder, TINY_MODEL, testFolder, writeDigits } from "./testing-data.ts";

let place: TestFolder;
beforeEach(async () => {
  place = await testFolder();
});
afterEach(() => place.remove());

const TINY = ["model=tiny.yaml", "imgsz=32", "epochs=1", "batch=2", "plots=false"];

/** Runs the command; returns its code, its errors (without warnings) and its output. */
async function command(...argv: string[]) {
  const io = captureIo({ cwd: place.cwd });
  const code = await run(argv, io);
  const lines = io.errors().split("\n").filter(Boolean);
  const warnings = lines.filter((line) => line.startsWith("warning: "));
  return { code, errors: lines.filter((line) => !line.startsWith("warning: ")), warnings, output: io.output() };
}

/** Expects exit code 2 and exactly one line that holds all the texts. */
async function expectRefusal(argv: string[], ...texts: string[]) {
  const { code, errors } = await command(...argv);
  expect(code).toBe(2);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/^error: /);
  expect(errors[0]).not.toMatch(/ at .*\.(ts|js):\d+/);
  for (const text of texts) expect(errors[0]).toContain(text);
}

describe("arguments", () => {
  test("an unknown one is named with the nearest known one", () =>
    expectRefusal(["train", "epoch=3"], "epoch", "did you mean epochs?"));
  test("val and predict ask for weights", async () => {
    await expectRefusal(["val"], "model", "best.safetensors");
    await expectRefusal(["predict", "source=x.jpg"], "model", "deployed.safetensors");
  });
  test("export asks for weights that can be merged", () => expectRefusal(["export"], "model", "best.safetensors"));
  test("predict asks for a source", () => expectRefusal(["predict", "model=x.safetensors"], "source"));
  test("layers that do not exist cannot be frozen; no folder stays behind of a run that took no step", async () => {
    const words = ["train", ...TINY, "fraction=0.006", "freeze=99"];
    await expectRefusal(words, "freeze", "0..5");
    expect(await readdir(path.join(place.cwd, "runs/detect"))).toEqual([]);
    // It may have been there before.
    await expectRefusal([...words, "exist_ok"], "freeze", "0..5");
    expect(await readdir(path.join(place.cwd, "runs/detect"))).toEqual(["train"]);
  });
});

describe("data", () => {
  const DATA = ["train", ...TINY, "data=data/data.yaml"];

  test("a missing data.yaml", () => expectRefusal(DATA, "data.yaml", "no such file"));

  test("a data.yaml without names", async () => {
    await place.write("data/data.yaml", "train: images/train\nval: images/val\n");
    await expectRefusal(DATA, "names");
  });

  test("folders without pictures, and folders that are not there", async () => {
    await place.write("data/data.yaml", "train: images/train\nval: images/val\nnames: [a]\n");
    await expectRefusal(DATA, "images/train", "does not exist");
    await place.write("data/images/train/readme.md", "none");
    await expectRefusal(DATA, "expected pictures for train, found none");
  });

  test.each([
    ["a class out of range", "10 0.5 0.5 0.2 0.2", "class 10 is out of range 0..9"],
    ["not a number", "1 nan 0.5 0.2 0.2", "cx is not a number"],
    ["a negative side", "1 0.5 0.5 -0.2 0.2", "w is negative"],
    ["a missing column", "1 0.5 0.5 0.2", "expected 5 numbers"],
  ])("labels: %s is left out and listed among good ones, and refused alone", async (_, label, message) => {
    await writeDigits(place, { scenes: 2 });
    await place.write("data/labels/train/0.txt", `3 0.5 0.5 0.25 0.25\n${label}\n`);
    const { code, warnings } = await command(...DATA);
    expect(code).toBe(0);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${path.join("labels", "train", "0.txt")}:2`);
    expect(warnings[0]).toContain(message);

    await place.write("data/labels/train/0.txt", `${label}\n`);
    await place.write("data/labels/train/1.txt", `${label}\n`);
    await expectRefusal(DATA, "no usable labels", message);
  });

  test("a truncated JPEG is left out and listed among good ones, and refused alone", async () => {
    await writeDigits(place, { scenes: 3 });
    const cut = async (name: string): Promise<void> => {
      const bytes = await readFile(path.join(place.cwd, name));
      await place.write(name, bytes.subarray(0, bytes.length >> 1));
    };
    await cut("data/images/train/1.jpg");
    const { code, warnings } = await command(...DATA);
    expect(code).toBe(0);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/1\.jpg.*truncated/);
    await cut("data/images/train/0.jpg");
    await expectRefusal(DATA, "batch", "one picture alone");
    await cut("data/images/train/2.jpg");
    await expectRefusal(DATA, "no usable pictures", "0.jpg", "truncated");
  });
});

describe("models and weights", () => {
  test("a missing model file, and a name that is no model", async () => {
    await expectRefusal(["info", "model=nowhere.yaml"], "nowhere.yaml", "none at");
    await expectRefusal(["info", "model=yolo12n"], 'got "yolo12n"');
    await expectRefusal(["val", "model=nowhere.safetensors"], "none at", "nowhere.safetensors");
  });

  test("an unknown block is named with the known ones", async () => {
    await place.write("odd.yaml", TINY_MODEL.replace("OREPA", "REPVGG"));
    await expectRefusal(["info", "model=odd.yaml"], "layer 1", '"REPVGG"', "OREPA", "Conv");
  });

  test("shapes that do not fit in an op are named in one line", async () => {
    await place.write("odd.yaml", TINY_MODEL.replace("OREPA, [8, 3, 2]", "OREPA, [8, 4, 2]"));
    await expectRefusal(["info", "model=odd.yaml"], "OREPA: expected an odd kernelSize, got 4");
    await place.write(
      "odd.yaml",
      TINY_MODEL.replace("[-1, 1, Conv, [8, 3, 2]]\nhead", "[[-1, 0], 1, Concat, [1]]\nhead"),
    );
    await expectRefusal(["info", "model=odd.yaml"], "layer 4 (Concat): expected inputs of one stride");
  });

  test("text that is no model", async () => {
    await place.write("odd.yaml", "nc: [");
    await expectRefusal(["info", "model=odd.yaml"], "YAML");
    await place.write("odd.yaml", "nc: 3");
    await expectRefusal(["info", "model=odd.yaml"], "backbone");
  });

  test("weights that are no safetensors file, or not ours", async () => {
    await place.write("x.safetensors", "hello");
    await expectRefusal(["val", "model=x.safetensors"], "x.safetensors", "expected");
    await place.write("x.safetensors", writeSafetensors(new Map([["a", zeros([1])]])));
    await expectRefusal(["val", "model=x.safetensors"], "written by orepa train");
    await expectRefusal(["train", ...TINY, "fraction=0.006", "pretrained=x.safetensors"], "none of its");
    await expectRefusal(["train", "resume=x.safetensors"], "written by orepa train");
  });

  test("weights of the wrong shape: the first key that differs and both shapes", async () => {
    expect((await command("train", ...TINY, "fraction=0.006")).code).toBe(0);
    const file = path.join(place.cwd, "runs/detect/train/weights/best.safetensors");
    const { tensors, metadata } = readSafetensors(await readFile(file));
    tensors.set("model.0.conv.weight", zeros([8, 3, 5, 5]));
    await place.write("bad.safetensors", writeSafetensors(tensors, metadata));
    await expectRefusal(["val", "model=bad.safetensors"], "model.0.conv.weight", "[8, 3, 3, 3]", "[8, 3, 5, 5]");
    await expectRefusal(["predict", "model=bad.safetensors", "source=."], "source");

    await expectRefusal(["train", `resume=${file}`], "last.safetensors");
    await expectRefusal(["train", "resume=runs/detect/train"], "finished its 1 epochs");
    await expectRefusal(["train", "resume=runs/detect/train", "epochs=3"], "epochs", "leave it out");
    await expectRefusal(["train", `model=${file.replace("best", "deployed")}`], "deployed");
  });
});

test("a loss that is no number stops the training, names the step and keeps the last good weights", async () => {
  const words = ["train", ...TINY, "fraction=0.006", "epochs=9", "optimizer=SGD", "lr0=1e9"];
  const { code, errors } = await command(...words);
  expect(code).toBe(2);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/expected a finite number, got .* in epoch \d+, batch \d+/);
  const kept = /last good weights: (\S+)$/.exec(errors[0]!)?.[1];
  const { tensors } = readSafetensors(await readFile(kept!));
  for (const [key, tensor] of tensors) {
    if (key.startsWith("train/")) continue;
    expect(
      tensor.toTypedArray().every((value) => Number.isFinite(value)),
      key,
    ).toBe(true);
  }
});
