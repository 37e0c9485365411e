// Training steps of yolo11n against recorded ones: losses, gradients, clipping, both optimizers, the average of the weights;
// in float64, and in float32 on wasm.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { wasmDevices } from "../../../autograd/src/testing/wasm-devices.cases.ts";
import { buildModel } from "../model/parser.ts";
import { yolo11 } from "../model/yaml/yolo11.ts";
import { expectSingleGradients, expectSingleSteps, followSteps } from "./recorded-single-steps.cases.ts";
import {
  compareGradients,
  compareValues,
  expectSteps,
  type RecordedCase,
  replayGradients,
  replaySteps,
} from "./recorded-steps.cases.ts";

const fixtureFile = (name: string) => readFileSync(new URL(`../../../../fixtures/${name}`, import.meta.url));
const cases = JSON.parse(fixtureFile("train-step.json").toString()) as Record<"sgd" | "adamw", RecordedCase>;
const fixture = fixtureFile("train-step.safetensors");
const createModel = () => buildModel(yolo11, { scale: "n", nc: 80 });

/** Both sides are float64; what differs is the order of sums, over some 10^5 terms and 100 layers. */
const tolerance = 1e-9;

describe("a training step of yolo11n", () => {
  it("has the recorded gradients, of the parameters that train alone", async () => {
    const gradients = await replayGradients(cases.sgd, { createModel, fixture });
    expect([...gradients.keys()].sort()).toEqual(Object.keys(cases.sgd.grad_stats).sort());
    const { worst, key } = compareGradients(gradients, cases.sgd.grad_stats);
    expect(worst, key).toBeLessThan(tolerance);
  });

  it.each(["sgd", "adamw"] as const)(
    "repeats the recorded steps with %s, to the weights and their average; wasm takes each from the same state",
    async (name) => {
      const recorded = cases[name];
      const single = followSteps(recorded, { createModel, fixture }, wasmDevices);
      const got = await replaySteps(recorded, { createModel, fixture, listen: single.listen });
      single.dispose();
      expect(got.groups).toEqual(recorded.groups.map(([count]) => count));
      expectSteps(got.steps, recorded, tolerance);
      const final = compareValues(got.final, recorded.final_stats);
      expect(final.worst, final.key).toBeLessThan(tolerance);
      const average = compareValues(got.average, recorded.ema_stats);
      expect(average.worst, average.key).toBeLessThan(tolerance);
    },
  );

  it("has the recorded gradients on wasm, the same bits from one thread and two", () =>
    expectSingleGradients(cases.sgd, { createModel, fixture }, wasmDevices));

  it.each(["sgd", "adamw"] as const)(
    "goes the recorded way on wasm with %s, the same bits from one thread and two",
    (name) => expectSingleSteps(cases[name], { createModel, fixture }, wasmDevices),
  );
});
