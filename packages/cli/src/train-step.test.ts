// Training steps of yolo11n-OREPA against recorded ones: the blocks of @orepa/orepa inside the trainer of @orepa/yolo.
import { readFileSync } from "node:fs";
import { buildModel, modelYaml } from "@orepa/yolo";
import { describe, expect, it } from "vitest";
import { wasmDevices } from "../../autograd/src/testing/wasm-devices.cases.ts";
import {
  expectSingleGradients,
  expectSingleSteps,
  followSteps,
} from "../../yolo/src/train/recorded-single-steps.cases.ts";
import {
  compareGradients,
  compareValues,
  expectSteps,
  type RecordedCase,
  replayGradients,
  replaySteps,
} from "../../yolo/src/train/recorded-steps.cases.ts";
import { registry } from "./registry.ts";

const fixtureFile = (name: string) => readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url));
const cases = JSON.parse(fixtureFile("train-step.json").toString()) as Record<"orepa_sgd", RecordedCase>;
const recorded = cases.orepa_sgd;
const fixture = fixtureFile("train-step.safetensors");
const createModel = () => buildModel(modelYaml("yolo11n-OREPA.yaml").text, { scale: "n", nc: 80, registry });

/** Both sides are float64; what differs is the order of sums, over some 10^5 terms and 100 layers. */
const tolerance = 1e-9;

describe("a training step of yolo11n-OREPA", () => {
  it("has the recorded gradients, of the branches and their scales too", async () => {
    const gradients = await replayGradients(recorded, { createModel, fixture });
    expect([...gradients.keys()].sort()).toEqual(Object.keys(recorded.grad_stats).sort());
    const { worst, key } = compareGradients(gradients, recorded.grad_stats);
    expect(worst, key).toBeLessThan(tolerance);
  });

  it("repeats the recorded steps with SGD, to the weights and their average; wasm takes each from the same state", async () => {
    const single = followSteps(recorded, { createModel, fixture }, wasmDevices);
    const got = await replaySteps(recorded, { createModel, fixture, listen: single.listen });
    single.dispose();
    expect(got.groups).toEqual(recorded.groups.map(([count]) => count));
    expectSteps(got.steps, recorded, tolerance);
    const final = compareValues(got.final, recorded.final_stats);
    expect(final.worst, final.key).toBeLessThan(tolerance);
    const average = compareValues(got.average, recorded.ema_stats);
    expect(average.worst, average.key).toBeLessThan(tolerance);
  });

  it("has the recorded gradients on wasm, the same bits from one thread and two", () =>
    expectSingleGradients(recorded, { createModel, fixture }, wasmDevices));

  it("goes the recorded way on wasm, the same bits from one thread and two", () =>
    expectSingleSteps(recorded, { createModel, fixture }, wasmDevices));
});
