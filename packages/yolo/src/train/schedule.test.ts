// The schedule against recorded trainings, and its corner cases.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { roundHalfEven } from "../round.ts";
import { defaultTrainArgs } from "./args.ts";
import { createSchedule } from "./schedule.ts";

interface Recorded {
  args: { optimizer: "SGD" | "auto"; cos_lr?: boolean; epochs: number; batch: number; images: number };
  batches_per_epoch: number;
  initial_accumulate: number;
  weight_decay: number[];
  initial_lr: number[];
  optimizer: string;
  iterations: [number, number, number, number, number, number, number][];
}

const recorded = JSON.parse(
  readFileSync(new URL("../../../../fixtures/schedule.json", import.meta.url), "utf8"),
) as Record<string, Recorded>;

describe("createSchedule", () => {
  it.each(["sgd", "sgd_cos", "auto_adamw"])("gives the recorded settings of every batch of %s", (name) => {
    const run = recorded[name]!;
    const { images, ...args } = run.args;
    const batches = run.batches_per_epoch;
    const schedule = createSchedule({ ...defaultTrainArgs, ...args }, { images, batches, classes: 2 });
    expect(schedule.optimizer.name).toBe(run.optimizer);
    expect(schedule.optimizer.lr).toBe(run.initial_lr[0]);
    expect(schedule.optimizer.weightDecay).toBe(run.weight_decay[1]);
    expect(schedule.accumulate).toBe(run.initial_accumulate);
    let steps = 0;
    let lastStep = -1;
    for (const [
      iteration,
      [epoch, bias, decayed, norm, momentum, accumulate, stepsSoFar],
    ] of run.iterations.entries()) {
      const settings = schedule.at(epoch, iteration);
      for (const [i, expected] of [bias, decayed, norm].entries()) {
        expect(Math.abs(settings.lr[i]! - expected)).toBeLessThan(1e-15);
      }
      expect(settings.momentum).toBeCloseTo(momentum, 14);
      expect(settings.accumulate).toBe(accumulate);
      if (iteration - lastStep >= settings.accumulate) {
        steps++;
        lastStep = iteration;
      }
      expect(steps).toBe(stepsSoFar);
    }
  });

  it("chooses SGD for long automatic trainings", () => {
    const schedule = createSchedule(
      { ...defaultTrainArgs, epochs: 100 },
      { images: 64 * 101, batches: 404, classes: 2 },
    );
    expect(schedule.optimizer).toMatchObject({ name: "SGD", lr: 0.01, momentum: 0.9, warmupBiasLr: 0 });
  });

  it("has no warm-up when warmup_epochs is 0", () => {
    const args = { ...defaultTrainArgs, optimizer: "SGD", warmup_epochs: 0 } as const;
    const { lr, accumulate } = createSchedule(args, { images: 64, batches: 4, classes: 2 }).at(0, 0);
    expect(lr).toEqual([0.01, 0.01, 0.01]);
    expect(accumulate).toBe(4);
  });
});

describe("roundHalfEven", () => {
  it("goes to the even neighbour from halves", () => {
    expect([0.5, 1.5, 2.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3]);
  });
});
