// The compiled training step: forward, loss, backward, sum of gradients, clipping, optimizer and average of the weights.
import {
  clipGradNorm,
  createAdamw,
  createSgd,
  type Gradients,
  groupParameters,
  namedParameters,
  type Parameter,
  type ParameterGroup,
  type Scalar,
  updateEma,
  valueAndGrad,
  withKernels,
} from "@orepa/autograd";
import {
  add,
  cast,
  compile,
  type DeviceSpec,
  fromData,
  type PlannedMemory,
  type Report,
  type Tensor,
  type TensorSpec,
  tensor,
  Variable,
  zerosLike,
} from "@orepa/tensor";
import type { Batch, BatchShapes } from "../data/types.ts";
import { detectionLoss, type LossGains } from "../loss/detection-loss.ts";
import type { DetectModel } from "../model/detect-model.ts";
import type { LossItems, OptimizerPlan } from "./events.ts";
import { kernelSums } from "./kernel-sums.ts";
import type { BatchSettings } from "./schedule.ts";

/** What {@link createStep} makes a step for. */
export interface StepOptions {
  readonly model: DetectModel;
  /** Second instance of the model; receives the moving average. */
  readonly average: DetectModel;
  readonly optimizer: OptimizerPlan;
  readonly gains: LossGains;
  /** Whether gradients of several batches may be summed before a step; without it a step is one program. */
  readonly accumulates: boolean;
  readonly device: DeviceSpec;
}

/** What came out of a batch. */
export interface StepResult {
  readonly items: LossItems;
  /** The sum of the items times the batch size: what was differentiated. */
  readonly total: number;
  /** Norm of the summed gradients before clipping; null when no optimizer step was taken. */
  readonly norm: number | null;
}

/** When and how the optimizer acts on a batch. */
export interface StepSettings extends Pick<BatchSettings, "lr" | "momentum"> {
  /** Take an optimizer step after this batch. */
  readonly apply: boolean;
  /** Part of the old average that is kept. */
  readonly emaDecay: number;
}

/** A training step with its state on the device. */
export interface Step {
  /**
   * Compiles and plans all that a batch of these shapes runs, without a run, with or without sums of gradients (by default as
   * the step was made). Returns the memory that the program with the backward pass will take, where the device plans it.
   * @throws MemoryError if it does not fit.
   */
  prepare(shapes: BatchShapes, sums?: boolean): PlannedMemory | undefined;
  run(batch: Pick<Batch, "images" | "shape" | "targets" | "targetShape">, settings: StepSettings): Promise<StepResult>;
  /** The optimizer's Variables, by key. */
  readonly optimizerState: ReadonlyMap<string, Variable>;
  /** With `accumulates` the summed gradients, by key: of parameters, and of kernels that are merged of parameters. */
  readonly accumulated: ReadonlyMap<string, Variable>;
  /** With `accumulates` the summed gradients of all parameters that train, by key. */
  gradients(): Promise<ReadonlyMap<string, Tensor>>;
  readonly groups: readonly ParameterGroup[];
  /** Cost of the program with the backward pass, as it ran last. @throws OpError before the first run. */
  report(): Report;
  dispose(): void;
}

/** Three learning rates, the momentum and the decay of the average. */
const hyperCount = 5;
/** Gradients are clipped to this global norm. */
const maxNorm = 10;

/** Compiles the step. Parameters that are not trainable by now stay as they are. */
export function createStep({ model, average, optimizer, gains, accumulates, device }: StepOptions): Step {
  const groups = groupParameters(model);
  const trained = new Map([...namedParameters(model)].filter(([, parameter]) => parameter.trainable));
  const { state, update } = createUpdate(optimizer, groups);
  const { nc, strides } = model;
  const dtype = [...trained.values()][0]!.dtype;

  const lossOf = (images: Tensor, targets: Tensor) => {
    const { maps } = model.forward(cast(images, dtype), "train");
    return detectionLoss(maps, cast(targets, dtype), { nc, strides, gains });
  };
  const differentiate = <W extends Tensor | Parameter>(loss: () => ReturnType<typeof lossOf>, wrt: Iterable<W>) => {
    let items: Tensor | undefined;
    const { value: total, grads } = valueAndGrad(() => {
      const found = loss();
      items = found.items;
      return found.total;
    }, wrt);
    return { items: items!, total, grads };
  };
  const act = (grads: ReadonlyMap<Parameter, Tensor>, hyper: readonly Tensor[]): Tensor => {
    const [bias, decayed, norms, momentum, emaDecay] = hyper as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const clipped = clipGradNorm(grads, maxNorm);
    update(clipped.grads, [bias, decayed, norms], momentum);
    updateEma(average, model, emaDecay);
    return clipped.norm;
  };

  const whole = compile(
    (images: Tensor, targets: Tensor, ...hyper: Tensor[]) => {
      const { items, total, grads } = differentiate(() => lossOf(images, targets), trained.values());
      return { items, total, norm: act(grads, hyper) };
    },
    { device },
  );
  const makeSums = () => {
    const merged = kernelSums(model, new Set(trained.values()));
    const direct = new Map([...trained].filter(([, parameter]) => !merged.parameters.has(parameter)));
    const sums = new Map([...direct].map(([key, { value }]) => [key, new Variable(zerosLike(value))]));
    const accumulated = new Map([...sums, ...merged.sums]);
    const summed = (): ReadonlyMap<string, Tensor> => {
      const back = merged.back(trained.values());
      return new Map(
        [...trained].map(([key, parameter]) => {
          const [own, other] = [sums.get(key)?.value, back.get(parameter)];
          return [key, own && other ? add(own, other) : (own ?? other)!];
        }),
      );
    };
    const gather = compile(
      (images: Tensor, targets: Tensor) => {
        // Outside of the gradient: the merge is not gone through again, and stays as it is until a step changes its parameters.
        const kernels = merged.merge();
        const loss = () => withKernels(kernels, () => lossOf(images, targets));
        const wrt: readonly (Tensor | Parameter)[] = [...kernels.values(), ...direct.values()];
        const { items, total, grads } = differentiate(loss, wrt);
        for (const [key, parameter] of direct) {
          const sum = sums.get(key)!;
          sum.assign(add(sum.value, grads.get(parameter)!));
        }
        merged.gather(kernels, grads);
        return { items, total };
      },
      { device },
    );
    const apply = compile(
      (...hyper: Tensor[]) => {
        const grads = summed();
        const norm = act(new Map([...trained].map(([key, parameter]) => [parameter, grads.get(key)!])), hyper);
        for (const sum of accumulated.values()) sum.assign(zerosLike(sum.value));
        return { norm };
      },
      { device },
    );
    return { accumulated, summed, gather, apply };
  };
  let made: ReturnType<typeof makeSums> | undefined;
  /** The sums of gradients and the programs over them, made when first asked for: a step without them may plan them only. */
  const summing = () => (made ??= makeSums());

  const run: Step["run"] = async (batch, { lr, momentum, emaDecay, apply: applies }) => {
    const images = fromData(batch.images, batch.shape);
    const targets = fromData(batch.targets, batch.targetShape);
    const hyper = [...lr, momentum, emaDecay].map((value) => tensor(value, { dtype }));
    if (!accumulates) {
      const { items, total, norm } = await whole(images, targets, ...hyper);
      return { items: toItems(items), total: total.item(), norm: norm.item() };
    }
    const { gather, apply } = summing();
    const { items, total } = await gather(images, targets);
    const result = { items: toItems(items), total: total.item() };
    // A loss that is not finite must not reach the weights.
    if (!applies || !Number.isFinite(result.total)) return { ...result, norm: null };
    const { norm } = await apply(...hyper);
    return { ...result, norm: norm.item() };
  };
  const prepare: Step["prepare"] = (shapes, sums = accumulates) => {
    const [images, targets] = batchSpecs(shapes);
    const hyper = Array.from({ length: hyperCount }, (): TensorSpec => ({ shape: [], dtype }));
    if (!sums) return whole.prepare(images, targets, ...hyper);
    const { gather, apply } = summing();
    const planned = gather.prepare(images, targets);
    apply.prepare(...hyper);
    return planned;
  };
  const gradients: Step["gradients"] = async () => {
    using program = compile(() => Object.fromEntries(summing().summed()), { device });
    return new Map(Object.entries(await program()));
  };
  const dispose = () => {
    for (const program of [whole, made?.gather, made?.apply]) program?.dispose();
  };
  const report = () => (accumulates ? summing().gather : whole).report();
  const accumulated = accumulates ? summing().accumulated : new Map<string, Variable>();
  return { prepare, run, optimizerState: state, accumulated, gradients, groups, report, dispose };
}

/** The inputs of a program that takes a batch. */
export const batchSpecs = ({ shape, targetShape }: BatchShapes): [images: TensorSpec, targets: TensorSpec] => [
  { shape, dtype: "float32" },
  { shape: targetShape, dtype: "float32" },
];

/** The update rule of a plan over the groups biases, decayed weights, norms. */
function createUpdate(
  { name, weightDecay }: OptimizerPlan,
  groups: readonly ParameterGroup[],
): {
  state: ReadonlyMap<string, Variable>;
  update: (grads: Gradients, learningRates: readonly Scalar[], momentum: Scalar) => void;
} {
  if (name === "SGD") {
    const sgd = createSgd(groups, { nesterov: true });
    return {
      state: sgd.state,
      update: (grads, learningRates, momentum) => sgd.update(grads, { learningRates, momentum, weightDecay }),
    };
  }
  const adamw = createAdamw(groups);
  return {
    state: adamw.state,
    update: (grads, learningRates, beta1) => adamw.update(grads, { learningRates, beta1, weightDecay }),
  };
}

function toItems(items: Tensor): LossItems {
  const [box, cls, dfl] = items.toTypedArray();
  return [box!, cls!, dfl!];
}
