// The number of threads changes nothing: the same rows and weights of a training, byte for byte.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { readSafetensors, writeSafetensors } from "@orepa/autograd";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { run } from "./run.ts";
import { captureIo } from "./testing.ts";
import { type TestFolder, testFolder } from "./testing-data.ts";

// Node 20 cannot run the worker's sources, so without their program the device would do with one thread.
vi.mock(import("@orepa/tensor"), async (original) => {
  const tensor = await original();
  const worker = new URL(inject("worker"));
  return { ...tensor, createWasm: (options) => tensor.createWasm({ ...options, worker }) };
});

let place: TestFolder;
beforeAll(async () => {
  place = await testFolder();
});
afterAll(() => place.remove());

const hash = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");

/** Trains the tiny detector on some of the digits; steps sum the gradients of several batches once the warm-up is over. */
async function trained(threads: number) {
  const words = ["model=tiny.yaml", "imgsz=64", "batch=4", "fraction=0.02", "epochs=2", "plots=false", "seed=3"];
  const io = captureIo({ cwd: place.cwd });
  const name = `threads${threads}`;
  expect(await run(["train", ...words, "device=wasm", `threads=${threads}`, `name=${name}`], io), io.errors()).toBe(0);
  expect(io.output()).toContain(`device wasm, ${threads} thread${threads === 1 ? "" : "s"} `);
  const folder = path.join(place.cwd, "runs/detect", name);
  const weights = async (file: string) => {
    const { tensors } = readSafetensors(await readFile(path.join(folder, "weights", `${file}.safetensors`)));
    return hash(writeSafetensors(tensors, {}));
  };
  return {
    csv: await readFile(path.join(folder, "results.csv"), "utf8"),
    last: await weights("last"),
    best: await weights("best"),
    deployed: await weights("deployed"),
  };
}

describe("a training with the same seed", () => {
  test("writes the same results.csv and the same weights with one thread and with two", async () => {
    const one = await trained(1);
    expect(one.csv.trimEnd().split("\n")).toHaveLength(3);
    expect(await trained(2)).toEqual(one);
  });
});
