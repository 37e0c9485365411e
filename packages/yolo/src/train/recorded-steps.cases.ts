// Runs the training steps that fixtures/train-step.json recorded, for comparison: same weights, same batch, in float64 on the
// reference device or in float32 on another.
import {
  drawFixture,
  emaDecay,
  fixtureWeights,
  loadStateDict,
  namedVariables,
  readSafetensors,
  readStateDict,
  toDtype,
} from "@orepa/autograd";
import { cast, type DeviceSpec, fromData, type Tensor } from "@orepa/tensor";
import { expect } from "vitest";
import { expectSame } from "../../../autograd/src/testing/wasm-devices.cases.ts";
import type { DetectModel } from "../model/detect-model.ts";
import { createStep, type Step, type StepResult } from "./step.ts";

/** What was recorded of one optimizer step. */
interface RecordedStep {
  readonly loss_total: number;
  readonly loss_items: readonly [number, number, number];
  readonly grad_norm_before_clip: number;
  readonly ema_decay: number;
}

/** What was recorded of one training. Statistics are [sum, sum of absolute values, L2 norm] of a gradient, [sum, L2 norm] of a value. */
export interface RecordedCase {
  readonly steps: readonly RecordedStep[];
  /** The same run in float32, and by how much its gradients' statistics are off. */
  readonly steps_float32: readonly Omit<RecordedStep, "ema_decay">[];
  readonly grad_stats_float32_worst_rel: number;
  readonly optimizer: "SGD" | "AdamW";
  readonly lr: number;
  readonly grad_stats: Readonly<Record<string, readonly [number, number, number]>>;
  readonly no_grad: readonly string[];
  readonly final_stats: Readonly<Record<string, readonly [number, number]>>;
  readonly ema_stats: Readonly<Record<string, readonly [number, number]>>;
  readonly groups: readonly (readonly [count: number, weightDecay: number, lr: number])[];
}

/** What the same steps gave here. */
interface ReplayedCase {
  readonly steps: readonly StepResult[];
  /** Parameters in each group. */
  readonly groups: readonly number[];
  /** Values after the last step, by key. */
  readonly final: ReadonlyMap<string, Tensor>;
  readonly average: ReadonlyMap<string, Tensor>;
}

const shape = [4, 3, 160, 160] as const;
const momentum = 0.937;
const weightDecay = 0.0005;
/** Added to scales: sums of gradients far below this are zero in exact arithmetic (biases in front of a norm). */
const zeroGradient = 1e-4;

/** Sum, sum of absolute values and L2 norm of a tensor. */
function statistics(x: Tensor): readonly [sum: number, absolute: number, norm: number] {
  let sum = 0;
  let absolute = 0;
  let squares = 0;
  for (const value of x.toTypedArray()) {
    sum += value;
    absolute += Math.abs(value);
    squares += value * value;
  }
  return [sum, absolute, Math.sqrt(squares)];
}

interface ReplayOptions {
  /** Builds the architecture of the case. */
  readonly createModel: () => DetectModel;
  /** The bytes of train-step.safetensors. */
  readonly fixture: Uint8Array;
  /** Computes in float32 there; without it in float64 on the reference device. */
  readonly device?: DeviceSpec;
  /** Number of steps. */
  readonly count: number;
}

const settings = ({ lr }: Pick<RecordedCase, "lr">) => ({ lr: [lr, lr, lr], momentum }) as const;

/** Replays the first steps of a case. */
export async function replaySteps(recorded: RecordedCase, options: ReplayOptions): Promise<ReplayedCase> {
  const { model, average, step } = setUp(recorded, options, false);
  const batch = readBatch(options.fixture);
  const steps: StepResult[] = [];
  for (let i = 0; i < options.count; i++) {
    steps.push(await step.run(batch, { ...settings(recorded), apply: true, emaDecay: emaDecay(i + 1) }));
  }
  step.dispose();
  const groups = step.groups.map(({ parameters }) => parameters.size);
  return { steps, groups, final: await readStateDict(model), average: await readStateDict(average) };
}

/** The gradients of the first step of a case before clipping, by key. */
export async function replayGradients(
  recorded: RecordedCase,
  options: Omit<ReplayOptions, "count">,
): Promise<ReadonlyMap<string, Tensor>> {
  const { step } = setUp(recorded, options, true);
  await step.run(readBatch(options.fixture), { ...settings(recorded), apply: false, emaDecay: 0 });
  const gradients = new Map<string, Tensor>();
  for (const [key, sum] of step.accumulated) gradients.set(key, await sum.read());
  step.dispose();
  return gradients;
}

/** The largest deviation of gradients from their recorded statistics, relative to the sum of absolute values, and where. */
export function compareGradients(
  gradients: ReadonlyMap<string, Tensor>,
  recorded: RecordedCase["grad_stats"],
): { worst: number; key: string } {
  return worstOf(
    Object.entries(recorded).map(([key, [sum, absolute, norm]]) => {
      const got = statistics(gradients.get(key)!);
      const scale = absolute + zeroGradient;
      const deviations = [(got[0] - sum) / scale, (got[1] - absolute) / scale, (got[2] - norm) / (norm + zeroGradient)];
      return { key, worst: Math.max(...deviations.map(Math.abs)) };
    }),
  );
}

/** The largest deviation of values from their recorded sum and norm, relative to the sum of absolute values, and where. */
export function compareValues(
  values: ReadonlyMap<string, Tensor>,
  recorded: RecordedCase["final_stats"],
): { worst: number; key: string } {
  return worstOf(
    Object.entries(recorded).map(([key, [sum, norm]]) => {
      const got = statistics(values.get(key)!);
      return { key, worst: Math.max(Math.abs(got[0] - sum) / got[1], Math.abs(got[2] - norm) / got[2]) };
    }),
  );
}

const worstOf = (deviations: { worst: number; key: string }[]) =>
  deviations.reduce((a, b) => (b.worst > a.worst || Number.isNaN(b.worst) ? b : a));

function setUp(
  { lr, optimizer: name }: RecordedCase,
  { createModel, device }: Omit<ReplayOptions, "count">,
  accumulates: boolean,
) {
  const make = () => {
    const model = prepare(createModel());
    return device === undefined ? model : toDtype(model, "float32");
  };
  const [model, average] = [make(), make()];
  const optimizer = { name, lr, momentum, warmupBiasLr: lr, weightDecay };
  const gains = { box: 7.5, cls: 0.5, dfl: 1.5 };
  return {
    model,
    average,
    step: createStep({ model, average, optimizer, gains, accumulates, device: device ?? "cpu" }),
  };
}

/** The weights by the rule, the head's last biases as at the start of a training, in float64. */
function prepare(model: DetectModel): DetectModel {
  const state = new Map<string, Tensor>();
  for (const [key, variable] of namedVariables(toDtype(model, "float64"))) {
    const values = headBias(key, model) ?? orepaConstant(key, variable.shape) ?? fixtureWeights(key, variable.shape);
    state.set(key, values === undefined ? variable.value : cast(fromData(values, variable.shape), variable.dtype));
  }
  loadStateDict(model, state);
  return model;
}

/** The constants of OREPA blocks, which the recorded run built in float64: the mean of the kernel's places, and cosines. */
function orepaConstant(key: string, shape: readonly number[]): Float64Array | undefined {
  const k = shape.at(-1)!;
  const length = shape.reduce((a, b) => a * b, 1);
  if (key.endsWith("weight_orepa_avg_avg")) return new Float64Array(length).fill(1 / k ** 2);
  if (!key.endsWith("weight_orepa_prior")) return undefined;
  const half = shape[0]! / 2;
  return Float64Array.from({ length }, (_, i) => {
    const o = Math.floor(i / k ** 2);
    const [frequency, position] = o < half ? [o + 1, Math.floor(i / k) % k] : [o + 1 - half, i % k];
    return Math.cos((Math.PI * (position + 0.5) * frequency) / k);
  });
}

/** Box biases 1, class biases log(5 / nc / (640 / stride)^2). */
function headBias(key: string, { nc, strides }: DetectModel): Float64Array | undefined {
  const found = /^model\.\d+\.cv([23])\.(\d)\.2\.bias$/.exec(key);
  if (found === null) return undefined;
  if (found[1] === "2") return new Float64Array(64).fill(1);
  return new Float64Array(nc).fill(Math.log(5 / nc / (640 / strides[Number(found[2])]!) ** 2));
}

/** The recorded rows image, class, cx, cy, w, h as a padded batch. */
function readBatch(fixture: Uint8Array): Parameters<Step["run"]>[0] {
  const rows = readSafetensors(fixture).tensors.get("targets")!.toTypedArray();
  const places = 8;
  const targets = new Float32Array(shape[0] * places * 5);
  const used = new Array<number>(shape[0]).fill(0);
  for (let i = 0; i < rows.length; i += 6) {
    const image = rows[i]!;
    targets.set(rows.subarray(i + 1, i + 6), (image * places + used[image]!) * 5);
    used[image]!++;
  }
  return { images: drawFixture("trainstep/img", shape, 0, 1), shape, targets, targetShape: [shape[0], places, 5] };
}

/** Checks the losses and gradient norms of steps against the recorded ones; `tolerance` is relative, of all steps or of each. */
export function expectSteps(
  steps: readonly StepResult[],
  recorded: RecordedCase,
  tolerance: number | readonly number[],
): void {
  for (const [i, { items, total, norm }] of steps.entries()) {
    const expected = recorded.steps[i]!;
    const most = typeof tolerance === "number" ? tolerance : tolerance[i]!;
    const pairs = [
      ...items.map((item, k) => [item, expected.loss_items[k]!] as const),
      [total, expected.loss_total],
      [norm!, expected.grad_norm_before_clip],
    ] as const;
    for (const [got, want] of pairs) {
      expect(Math.abs(got - want) / want, `step ${i + 1}: ${got} for ${want}`).toBeLessThan(most);
    }
  }
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

/** Units in the last place that are left to a step whose recorded rounding happens to vanish. */
const slack = 16 * 2 ** -24;
/** Sums in another order have rounding errors of the same size, of another sign; ten times is far off that. */
const margin = 10;
/** A sum of absolute values below this is rounding of float64. */
const exactZero = 1e-10;
/** Steps that rounding does not move to another assignment of targets (fixtures/README.md). */
const stableSteps = 2;

/**
 * Replays gradients and the first steps of a case in float32 on devices that must agree to the last bit, and compares with the
 * recorded float64 as closely as the recorded float32 run allows.
 */
export async function expectSingleSteps(
  recorded: RecordedCase,
  options: Omit<ReplayOptions, "count" | "device">,
  devices: readonly { readonly device: DeviceSpec }[],
): Promise<void> {
  const rounding = roundingOf(recorded).map((most) => margin * most + slack);
  const results: Map<string, Tensor>[] = [];
  for (const { device } of devices) {
    const gradients = await replayGradients(recorded, { ...options, device });
    // What is zero in exact arithmetic is all rounding: it has no relative error, and only has to stay far below others.
    const entries = Object.entries(recorded.grad_stats);
    const isZero = ([, [, absolute]]: (typeof entries)[number]) => absolute < exactZero;
    for (const [key] of entries.filter(isZero))
      expect(statistics(gradients.get(key)!)[1], key).toBeLessThan(zeroGradient);
    const others = Object.fromEntries(entries.filter((entry) => !isZero(entry)));
    const { worst, key } = compareGradients(gradients, others);
    expect(worst, key).toBeLessThan(margin * recorded.grad_stats_float32_worst_rel);
    const { steps, final, average } = await replaySteps(recorded, { ...options, device, count: stableSteps });
    expectSteps(steps, recorded, rounding);
    results.push(
      new Map([...prefixed("gradient", gradients), ...prefixed("final", final), ...prefixed("average", average)]),
    );
  }
  const [first, ...others] = results;
  for (const other of others) for (const [key, value] of first!) expectSame(key, other.get(key)!, value);
}

const prefixed = (prefix: string, values: ReadonlyMap<string, Tensor>) =>
  [...values].map(([key, value]) => [`${prefix} ${key}`, value] as const);
