// The workloads run, say what they cost, and are measured against a limit.
import { initialize } from "@orepa/autograd";
import { describe, expect, test } from "vitest";
import { gigaFlops } from "../model/info.ts";
import { buildModel } from "../model/parser.ts";
import { yolo11 } from "../model/yaml/yolo11.ts";
import { measure } from "./measure.ts";
import { inferenceWorkload, trainingWorkload } from "./workload.ts";

const imgsz = 64;
const batch = 2;
const createModel = () => {
  const model = buildModel(yolo11, { scale: "n", nc: 3 });
  initialize(model, 0);
  return model;
};
const options = { createModel, imgsz, batch, device: "cpu" } as const;
const limit = async () => 100;

describe("measured workloads", () => {
  const forward = batch * gigaFlops(buildModel(yolo11, { scale: "n", nc: 3, fused: true }), imgsz);

  test("inference costs the convolutions of the fused model and the products of its attention", async () => {
    const workload = inferenceWorkload(options);
    const runs: number[] = [];
    const { gflop, gflops, fraction, ms, fastest, slowest } = await measure(workload, {
      ...{ repeats: 1, limit },
      onRun: (done) => runs.push(done),
    });
    workload.dispose();
    expect(gflop).toBeGreaterThan(forward);
    expect(gflop).toBeLessThan(1.05 * forward);
    expect(gflops).toBeCloseTo((gflop / ms) * 1e3, 9);
    expect(fraction).toBeCloseTo(gflops / 100, 9);
    expect(fastest).toBeLessThanOrEqual(ms);
    expect(slowest).toBeGreaterThanOrEqual(ms);
    expect([...new Set(runs)]).toEqual([0, 1]);
  });

  test("a training step costs about three forward passes and is the same work every time", async () => {
    let time = 0;
    const workload = trainingWorkload(options);
    const { gflop, ms, planned_bytes, variable_bytes } = await measure(workload, {
      ...{ repeats: 2, limit },
      now: () => time++,
    });
    workload.dispose();
    expect(gflop).toBeGreaterThan(2.8 * forward);
    expect(gflop).toBeLessThan(3.1 * forward);
    expect(ms).toBe(1);
    expect(planned_bytes).toBeGreaterThan(0);
    expect(variable_bytes).toBeGreaterThan(0);
  });
});
