// Runs the training steps that fixtures/train-step.json recorded, for comparison: same weights, same batch, in float64 on the
// reference device or in float32 on another. The comparison in float32 is in recorded-single-steps.cases.ts.
import {
  drawFixture,
  emaDecay,
  fixtureWeights,
  loadStateDict,
  namedVariables,
  readSafetensors,
  readVariables,
  toDtype,
} from "@orepa/autograd";
import { cast, type DeviceSpec, fromData, type Tensor, type Variable } from "@orepa/tensor";
import { expect } from "vitest";
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
export const zeroGradient = 1e-4;

/** Sum, sum of absolute values and L2 norm of a tensor. */
export function statistics(x: Tensor): readonly [sum: number, absolute: number, norm: number] {
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

export interface ReplayOptions {
  /** Builds the architecture of the case. */
  readonly createModel: () => DetectModel;
  /** The bytes of train-step.safetensors. */
  readonly fixture: Uint8Array;
  /** Computes in float32 there; without it in float64 on the reference device. */
  readonly device?: DeviceSpec;
}

/** A training of a case under way. */
export interface Replay {
  /** Weights, their average and the optimizer's state: keys begin with `model`, `average` or `optimizer` and a space. */
  readonly state: ReadonlyMap<string, Variable>;
  /** Parameters in each group. */
  readonly groups: readonly number[];
  /** Takes a step; the first has number 0. */
  run(index: number): Promise<StepResult>;
  dispose(): void;
}

/** Hears of a step, by its number, and of the state before and after it. */
export type StepListener = (
  index: number,
  state: { readonly before: ReadonlyMap<string, Tensor>; readonly after: ReadonlyMap<string, Tensor> },
) => Promise<void>;

const settings = ({ lr }: Pick<RecordedCase, "lr">) => ({ lr: [lr, lr, lr], momentum }) as const;

/** Sets up the training of a case. */
export function openReplay(recorded: RecordedCase, options: ReplayOptions): Replay {
  const { model, average, step } = setUp(recorded, options, false);
  const batch = readBatch(options.fixture);
  const parts = { model: namedVariables(model), average: namedVariables(average), optimizer: step.optimizerState };
  return {
    state: new Map(
      Object.entries(parts).flatMap(([part, variables]) => [...variables].map(([key, v]) => [`${part} ${key}`, v])),
    ),
    groups: step.groups.map(({ parameters }) => parameters.size),
    run: (i) => step.run(batch, { ...settings(recorded), apply: true, emaDecay: emaDecay(i + 1) }),
    dispose: step.dispose,
  };
}

/** Replays the steps of a case; `listen` hears of each before the next. */
export async function replaySteps(
  recorded: RecordedCase,
  { listen, ...options }: ReplayOptions & { readonly listen?: StepListener },
): Promise<ReplayedCase> {
  const replay = openReplay(recorded, options);
  const steps: StepResult[] = [];
  let before = await readVariables(replay.state);
  for (const i of recorded.steps.keys()) {
    steps.push(await replay.run(i));
    const after = await readVariables(replay.state);
    await listen?.(i, { before, after });
    before = after;
  }
  replay.dispose();
  return { steps, groups: replay.groups, final: part(before, "model "), average: part(before, "average ") };
}

/** The entries whose key starts with a prefix, without it. */
const part = (values: ReadonlyMap<string, Tensor>, prefix: string) =>
  new Map([...values].flatMap(([key, t]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), t]] : [])));

/** The gradients of the first step of a case before clipping, by key. */
export async function replayGradients(
  recorded: RecordedCase,
  options: ReplayOptions,
): Promise<ReadonlyMap<string, Tensor>> {
  const { step } = setUp(recorded, options, true);
  await step.run(readBatch(options.fixture), { ...settings(recorded), apply: false, emaDecay: 0 });
  const gradients = await step.gradients();
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

function setUp({ lr, optimizer: name }: RecordedCase, { createModel, device }: ReplayOptions, accumulates: boolean) {
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

/** Checks the losses and gradient norms of the first steps against the recorded ones; `tolerance` is relative. */
export function expectSteps(steps: readonly StepResult[], recorded: RecordedCase, tolerance: number): void {
  for (const [i, step] of steps.entries()) expectStep(i, step, recorded, tolerance);
}

/** `expectSteps` of the step with this number. */
export function expectStep(
  i: number,
  { items, total, norm }: StepResult,
  recorded: RecordedCase,
  tolerance: number,
): void {
  const expected = recorded.steps[i]!;
  const pairs = [
    ...items.map((item, k) => [item, expected.loss_items[k]!] as const),
    [total, expected.loss_total],
    [norm!, expected.grad_norm_before_clip],
  ] as const;
  for (const [got, want] of pairs)
    expect(Math.abs(got - want) / want, `step ${i + 1}: ${got} for ${want}`).toBeLessThan(tolerance);
}
