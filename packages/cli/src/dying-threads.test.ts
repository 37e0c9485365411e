// A thread of the device that dies in the middle of a training: one line, exit code 1, and the checkpoint goes on.
import { readdir } from "node:fs/promises";
import path from "node:path";
import workerThreads, { Worker } from "node:worker_threads";
import type { WasmOptions } from "@orepa/tensor";
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { run } from "./run.ts";
import { captureIo } from "./testing.ts";
import { type TestFolder, testFolder } from "./testing-data.ts";

/** Sources cannot be run by Node's workers: the device gets the bundled program. Dead threads are given up sooner. */
vi.mock("@orepa/tensor", async (importOriginal) => {
  const actual = await importOriginal<typeof import("@orepa/tensor")>();
  const createWasm = (options: WasmOptions) =>
    actual.createWasm({ threads: 2, patience: 3000, worker: new URL(inject("worker")), ...options });
  return { ...actual, createWasm };
});

const started: Worker[] = [];
let place: TestFolder;
beforeEach(async () => {
  place = await testFolder();
  workerThreads.Worker = class extends Worker {
    constructor(...options: ConstructorParameters<typeof Worker>) {
      super(...options);
      started.push(this);
    }
  };
});
afterEach(async () => {
  workerThreads.Worker = Worker;
  await place.remove();
});

test("a thread that dies is named with the checkpoint to go on from, which does", async () => {
  const words = ["model=tiny.yaml", "imgsz=32", "batch=2", "fraction=0.01", "epochs=3", "plots=false"];
  const io = captureIo({
    cwd: place.cwd,
    isTerminal: true,
    watch: (text) => {
      if (/\r +2\/3/.test(text)) void started[0]!.terminate();
    },
  });
  expect(await run(["train", ...words], io)).toBe(1);
  expect(started).toHaveLength(1);
  const last = path.join(place.cwd, "runs/detect/train/weights/last.safetensors");
  const error = io.errors();
  expect(error).toMatch(/^error: wasm: expected .*worker threads?.*, got .*thread 1.*\n$/);
  expect(error).toContain(`; to go on from the last checkpoint: resume=${last}\n`);

  const next = captureIo({ cwd: place.cwd });
  expect(await run(["train", `resume=${last}`, "threads=1"], next)).toBe(0);
  expect(next.errors()).toBe("");
  expect(next.output()).toContain("from epoch 2, batch 1");
  expect(await readdir(path.dirname(last))).toContain("deployed.safetensors");
});
