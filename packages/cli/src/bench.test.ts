// orepa bench on the smallest sizes: what it prints, what --json gives, what it refuses.
import { expect, test } from "vitest";
import { EXIT, run } from "./run.ts";
import { captureIo } from "./testing.ts";

const tiny = ["imgsz=32", "batch=2", "repeats=1", "device=cpu"];

test("bench gives time, rate, limit and memory of the step and of inference, and shows how far it is", async () => {
  const io = captureIo({ isTerminal: true });
  expect(await run(["bench", "model=yolo11n.yaml", ...tiny, "json"], io)).toBe(EXIT.ok);
  expect(io.output()).toMatch(/training step: .*1\/1/);
  expect(io.output()).toMatch(/inference +\d+\.\d ms \(.*% of the limit of .*planned \d+ MiB/);
  const result = JSON.parse(io.output().trimEnd().split("\n").at(-1)!);
  expect(result).toMatchObject({ model: "YOLO11n", imgsz: 32, batch: 2, device: "cpu", threads: 1, repeats: 1 });
  for (const part of [result.step, result.inference]) {
    expect(part.threads).toBe(1);
    for (const name of ["ms", "gflops", "limit_gflops", "fraction", "planned_bytes"])
      expect(part[name]).toBeGreaterThan(0);
  }
  expect(result.step.gflop).toBeGreaterThan(2 * result.inference.gflop);
});

test("bench refuses arguments that mean nothing to it, in one line", async () => {
  for (const [word, text] of [
    ["epochs=3", "epochs: expected an argument of bench"],
    ["repeats=0", "repeats: expected an integer of at least 1"],
    ["threads=7", "threads: expected 1 on cpu, got 7"],
  ] as const) {
    const io = captureIo();
    expect(await run(["bench", ...tiny.filter((other) => !other.startsWith(word.split("=")[0]!)), word], io)).toBe(
      EXIT.user,
    );
    expect(io.errors()).toContain(text);
    expect(io.errors().trimEnd().split("\n")).toHaveLength(1);
  }
});

test("bench help names its arguments and an example", async () => {
  const io = captureIo();
  expect(await run(["bench", "help"], io)).toBe(EXIT.ok);
  for (const name of ["model=", "imgsz=", "batch=", "device=", "threads=", "repeats=", "json="])
    expect(io.output()).toContain(name);
  expect(io.output()).toContain("orepa bench model=yolo11n.yaml imgsz=640");
});
