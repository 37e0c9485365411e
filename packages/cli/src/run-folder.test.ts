// Run folders: their names, what they hold, which weights are kept.
import { readdir } from "node:fs/promises";
import path from "node:path";
import { UserError } from "@orepa/yolo";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFiles, writeAtomic } from "./node-files.ts";
import { run } from "./run.ts";
import { createRunFolder } from "./run-folder.ts";
import { captureIo } from "./testing.ts";
import { type TestFolder, testFolder } from "./testing-data.ts";

let place: TestFolder;
beforeEach(async () => {
  place = await testFolder();
});
afterEach(() => place.remove());

test("folders are numbered from the second on; project, name and exist_ok choose", async () => {
  const make = async (options: { project?: string; name?: string; existOk?: boolean } = {}) => {
    const { project = null, name = "train", existOk = false } = options;
    return path.relative(place.cwd, await createRunFolder({ cwd: place.cwd, project, name, existOk }));
  };
  expect(await make()).toBe(path.join("runs", "detect", "train"));
  expect(await make()).toBe(path.join("runs", "detect", "train2"));
  expect(await make({ existOk: true })).toBe(path.join("runs", "detect", "train"));
  expect(await make({ name: "mine" })).toBe(path.join("runs", "detect", "mine"));
  expect(await make({ project: "p", name: "a/b" })).toBe(path.join("p", "a", "b"));
  await place.write("file", "not a folder");
  await expect(make({ project: "file" })).rejects.toThrow(UserError);
});

test("a file is written whole or not at all", async () => {
  const file = path.join(place.cwd, "a", "b.txt");
  await writeAtomic(file, "first");
  await writeAtomic(file, "second");
  expect(await nodeFiles(place.cwd).readText(file)).toBe("second");
  expect(await readdir(path.dirname(file))).toEqual(["b.txt"]);
  await expect(writeAtomic(path.join(place.cwd, "a"), "a folder is there")).rejects.toThrow(UserError);
  expect((await readdir(place.cwd)).sort()).toEqual(["a", "tiny.yaml"]);
});

test("save_period keeps weights of epochs, and frozen layers are told", async () => {
  const io = captureIo({ cwd: place.cwd });
  const words = ["model=tiny.yaml", "imgsz=32", "batch=2", "fraction=0.006", "epochs=2", "plots=false"];
  expect(await run(["train", ...words, "save_period=2", "freeze=1", "val=false"], io)).toBe(0);
  expect(io.output()).toMatch(/^frozen: model\.0\..* and \d+ more$/m);
  const weights = path.join(place.cwd, "runs/detect/train/weights");
  expect((await readdir(weights)).sort()).toEqual([
    "best.safetensors",
    "deployed.safetensors",
    "deployed.txt",
    "epoch2.safetensors",
    "last.safetensors",
  ]);
});
