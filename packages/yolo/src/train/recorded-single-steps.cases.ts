// The recorded training steps in float32 on devices that must agree to the last bit, against the recorded float64.
import { loadVariables, readVariables } from "@orepa/autograd";
import type { DeviceSpec, Tensor } from "@orepa/tensor";
import { expect } from "vitest";
import { expectSame } from "../../../autograd/src/testing/wasm-devices.cases.ts";
import {
  compareGradients,
  expectStep,
  expectSteps,
  openReplay,
  type RecordedCase,
  type ReplayOptions,
  replayGradients,
  type StepListener,
  statistics,
  zeroGradient,
} from "./recorded-steps.cases.ts";
import type { StepResult } from "./step.ts";

type Devices = readonly { readonly device: DeviceSpec }[];
type Options = Omit<ReplayOptions, "device">;

/** Units in the last place that are left to a value whose recorded rounding happens to vanish. */
const slack = 16 * 2 ** -24;
/** Sums in another order have rounding errors of the same size, of another sign; ten times is far off that. */
const margin = 10;
/**
 * Winograd's kernels round up to four times as much as sums in order, and steps taken one after the other carry it on: 2.53 is the
 * most needed, by yolo11n-OREPA; the same on one thread and two, and with vectors of 256 bits.
 */
const carried = 3;
/** A sum of absolute values below this is rounding of float64. */
const exactZero = 1e-10;
/** Steps that rounding does not move to another assignment of targets (fixtures/README.md). */
const stableSteps = 4;
/** Half units in the last place of a weight or its average: it is rounded when it is taken over, scaled, moved and averaged. */
const weightRounding = 4 * 2 ** -24;

/**
 * AdamW divides a gradient by about its size plus 1e-8: a weight that float64 moves by less than this part of the largest change has
 * a gradient of some 1e-16 or less, rounding of zero, and the larger rounding of float32 can move it by as much as a whole step. So
 * weights and their averages are compared without such elements after steps of AdamW: 64 of the 256 biases behind attention's qkv, as
 * many as there are of keys, which move all scores of a query alike (at most 7e-11 of the largest change; the next has 2e-4), and what
 * does not train. The optimizer's own state, where no gradient is divided, and steps of SGD are compared whole.
 */
const unmoved = 1e-8;

/** Compares the gradients of the first step; devices must agree to the last bit. */
export async function expectSingleGradients(recorded: RecordedCase, options: Options, devices: Devices): Promise<void> {
  const results: ReadonlyMap<string, Tensor>[] = [];
  for (const { device } of devices) {
    const gradients = await replayGradients(recorded, { ...options, device });
    const zeros = zeroGradients(recorded);
    for (const key of zeros) expect(statistics(gradients.get(key)!)[1], key).toBeLessThan(zeroGradient);
    const others = Object.entries(recorded.grad_stats).filter(([key]) => !zeros.has(key));
    const { worst, key } = compareGradients(gradients, Object.fromEntries(others));
    expect(worst, key).toBeLessThan(margin * recorded.grad_stats_float32_worst_rel);
    results.push(gradients);
  }
  expectSameOnAll(results);
}

/**
 * Takes all steps one after the other, as a training does; devices must agree to the last bit in every loss and in the weights,
 * averages and optimizer states that are left. Rounding grows from step to step until it moves a target to another box (in the
 * recorded float32 run of `sgd` at the fifth step), so only the steps before that are compared with the recorded ones.
 */
export async function expectSingleSteps(recorded: RecordedCase, options: Options, devices: Devices): Promise<void> {
  const rounding = Math.max(...roundingOf(recorded).slice(0, stableSteps));
  const told: (readonly StepResult[])[] = [];
  const states: ReadonlyMap<string, Tensor>[] = [];
  for (const { device } of devices) {
    const replay = openReplay(recorded, { ...options, device });
    const steps: StepResult[] = [];
    for (const i of recorded.steps.keys()) steps.push(await replay.run(i));
    expectSteps(steps.slice(0, stableSteps), recorded, carried * margin * rounding + slack);
    told.push(steps);
    states.push(await readVariables(replay.state));
    replay.dispose();
  }
  for (const steps of told) expect(steps).toEqual(told[0]);
  expectSameOnAll(states);
}

/**
 * A listener to the float64 replay that takes every step on each device too, from the state that float64 had before it: no
 * rounding is carried on, so all steps are compared, losses and norms as closely as the recorded float32 run holds its first one,
 * and what the step has changed as closely as that run's gradients.
 */
export function followSteps(recorded: RecordedCase, options: Options, devices: Devices) {
  const tolerance = margin * roundingOf(recorded)[0]! + slack;
  const replays = devices.map(({ device }) => openReplay(recorded, { ...options, device }));
  const zeros = [...zeroGradients(recorded)];
  const listen: StepListener = async (i, { before, after }) => {
    const results: ReadonlyMap<string, Tensor>[] = [];
    for (const replay of replays) {
      loadVariables(replay.state, before);
      expectStep(i, await replay.run(i), recorded, tolerance);
      results.push(await readVariables(replay.state));
    }
    expectSameOnAll(results);
    for (const [key, wanted] of after) {
      if (zeros.some((zero) => key.endsWith(zero))) continue;
      const least = recorded.optimizer === "AdamW" && !key.startsWith("optimizer ") ? unmoved : 0;
      const { off, change, size } = distances(results[0]!.get(key)!, wanted, before.get(key)!, least);
      const most = margin * recorded.grad_stats_float32_worst_rel * change + weightRounding * size;
      expect(off, `${key} after step ${i + 1}`).toBeLessThanOrEqual(most);
    }
  };
  const dispose = () => {
    for (const replay of replays) replay.dispose();
  };
  return { listen, dispose };
}

/** By how much float32 changes the recorded losses and norms of each step, relatively: the worst of them. */
function roundingOf({ steps, steps_float32: rounded }: RecordedCase): readonly number[] {
  return steps.map((step, i) => {
    const [exact, single] = [step, rounded[i]!].map((s) => [
      ...s.loss_items,
      s.loss_total,
      s.grad_norm_before_clip,
    ]) as [number[], number[]];
    return Math.max(...exact.map((value, k) => Math.abs(single[k]! - value) / value));
  });
}

/** Parameters whose gradient is zero in exact arithmetic: it is all rounding, so it has no relative error. */
const zeroGradients = ({ grad_stats }: RecordedCase): ReadonlySet<string> =>
  new Set(Object.entries(grad_stats).flatMap(([key, [, absolute]]) => (absolute < exactZero ? [key] : [])));

/** Sums of absolute values over what moves by a part of the largest move: of the deviation, of the moves, of what should be there. */
function distances(
  actual: Tensor,
  wanted: Tensor,
  before: Tensor,
  part: number,
): { off: number; change: number; size: number } {
  const [a, w, b] = [actual, wanted, before].map((t) => t.toTypedArray()) as [Float32Array, Float64Array, Float64Array];
  const moves = w.map((value, i) => Math.abs(value - b[i]!));
  const least = part * moves.reduce((most, move) => Math.max(most, move), 0);
  let [off, change, size] = [0, 0, 0];
  for (const [i, value] of w.entries()) {
    if (moves[i]! < least) continue;
    off += Math.abs(a[i]! - value);
    change += moves[i]!;
    size += Math.abs(value);
  }
  return { off, change, size };
}

function expectSameOnAll([first, ...others]: readonly ReadonlyMap<string, Tensor>[]): void {
  for (const other of others) for (const [key, value] of first!) expectSame(key, other.get(key)!, value);
}
