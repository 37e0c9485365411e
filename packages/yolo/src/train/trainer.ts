// The training loop: epochs of compiled steps, validation of the averaged weights, checkpoints. It tells and never prints.
import { emaDecay, loadStateDict, namedParameters, readStateDict } from "@orepa/autograd";
import type { PlannedMemory } from "@orepa/tensor";
import { type TrainLoaderOptions, trainLoader } from "../data/batch.ts";
import { UserError } from "../errors.ts";
import type { DetectModel } from "../model/detect-model.ts";
import { defaultTrainArgs } from "./args.ts";
import { createCheckpoint, type Progress, readProgress, restoreState } from "./checkpoint.ts";
import type {
  Checkpoint,
  LossItems,
  ResultsRow,
  TrainArgs,
  TrainEvent,
  TrainOptions,
  TrainResult,
  ValidationResult,
} from "./events.ts";
import { requireFit } from "./fit.ts";
import { NonFiniteLossError } from "./non-finite.ts";
import { accumulation, createSchedule } from "./schedule.ts";
import { createStep } from "./step.ts";
import { createValidator } from "./validate.ts";

/** Validation batches are this many times larger: they keep nothing for a backward pass. */
const validationBatchFactor = 2;

/**
 * Trains a detector. Every batch, epoch and checkpoint is told through `onEvent`. The same arguments and seed give the same weights
 * and rows, also when a run is interrupted and resumed.
 * Throws a UserError before the first step if the batch does not fit into the device's memory, NonFiniteLossError when the loss or the gradient stops being a number; the checkpoint told last stays good.
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { dataset, valDataset, device, resume, metadata, shouldStop = () => false } = options;
  const { clock = () => performance.now() / 1000 } = options;
  const { createLoader = (order: TrainLoaderOptions) => trainLoader(dataset, order) } = options;
  const emit = async (event: TrainEvent): Promise<void> => options.onEvent?.(event);
  const begin =
    resume === undefined ? startProgress(options) : checkResume(readProgress(resume), dataset.samples.length);
  const { args } = begin;

  const model = options.createModel();
  const average = options.createModel();
  checkClasses(model, dataset.names.length);
  loadStateDict(average, await readStateDict(model));
  const frozen = freeze(model, args.freeze);
  const images = dataset.samples.length;
  const loader = createLoader({ ...args, augment: args });
  const { batches } = loader;
  const schedule = createSchedule(args, { images, batches, classes: model.nc });
  const gains = { box: args.box, cls: args.cls, dfl: args.dfl };
  const step = createStep({
    model,
    average,
    optimizer: schedule.optimizer,
    gains,
    accumulates: schedule.accumulate > 1,
    device,
  });
  const validator = createValidator(average, { device, loss: gains });
  const state = { model, average, optimizerState: step.optimizerState, accumulated: step.accumulated };
  if (resume !== undefined) restoreState(resume, state);

  let { lastStep, updates, bestFitness, bestEpoch } = begin;
  const rows = [...begin.rows];
  const save = (position: Pick<Progress, "epoch" | "batch" | "sums">): Promise<Checkpoint> =>
    createCheckpoint(state, { args, images, lastStep, updates, bestFitness, bestEpoch, rows, ...position }, metadata);
  const finish = (reason: TrainResult["reason"], last: Checkpoint): TrainResult => ({
    reason,
    rows,
    bestEpoch,
    bestFitness,
    last,
  });

  let memory: number | null = null;
  /** Plans the largest programs of the training before the first of its steps. */
  const requireRoom = (rows: number): void => {
    const most = Math.min(args.batch, images);
    requireFit({
      ...{ batch: most, imgsz: args.imgsz },
      prepare: (count) => {
        const shape = [count, 3, args.imgsz, args.imgsz] as const;
        // A smaller one, tried to be suggested, may sum gradients where the one asked for does not.
        const accumulate = count === most ? schedule.accumulate : accumulation({ nbs: args.nbs, batch: count });
        const planned = step.prepare({ shape, targetShape: [count, rows, 5] }, accumulate > 1);
        memory = planned?.arena ?? null;
        // A validation keeps nothing for a backward pass: twice the batch takes less than twice the memory.
        if (valDataset !== null && planned && shareOf(planned) * validationBatchFactor > 1)
          validator.prepare({ dataset: valDataset, batch: count * validationBatchFactor, imgsz: args.imgsz });
      },
      release: () => {
        step.dispose();
        validator.dispose();
      },
    });
  };

  try {
    const [biases, weights, norms] = step.groups.map(({ parameters }) => parameters.size) as [number, number, number];
    await emit({
      type: "start",
      optimizer: schedule.optimizer,
      groups: [biases, weights, norms],
      trainImages: images,
      valImages: valDataset?.samples.length ?? 0,
      batches,
      epoch: begin.epoch,
      batch: begin.batch,
      frozen,
    });
    for (let epoch = begin.epoch; ; epoch++) {
      const first = epoch === begin.epoch ? begin.batch : 0;
      let sums: LossItems = epoch === begin.epoch ? begin.sums : [0, 0, 0];
      const started = clock();
      await emit({ type: "epoch-start", epoch, epochs: args.epochs, batches });
      const interrupt = async (batch: number): Promise<TrainResult> => {
        const checkpoint = await save({ epoch, batch, sums });
        await emit({ type: "checkpoint", epoch, kinds: ["last"], interrupted: true, checkpoint });
        return finish("interrupted", checkpoint);
      };

      for (let index = first; index < batches; index++) {
        const before = clock();
        const batch = await loader.batch(epoch, index);
        const ready = clock();
        if (epoch === begin.epoch && index === first) requireRoom(batch.targetShape[1]);
        const iteration = epoch * batches + index;
        const { lr, momentum, accumulate } = schedule.at(epoch, iteration);
        const apply = iteration - lastStep >= accumulate;
        const result = await step.run(batch, { lr, momentum, apply, emaDecay: emaDecay(updates + 1) });
        requireFinite(result, epoch, index);
        if (apply) {
          lastStep = iteration;
          updates++;
        }
        sums = [sums[0] + result.items[0], sums[1] + result.items[1], sums[2] + result.items[2]];
        await emit({
          type: "batch",
          epoch,
          batch: index,
          batches,
          items: meanItems(sums, index + 1),
          instances: batch.instances,
          imgsz: args.imgsz,
          images: batch.indices.length,
          memory,
          dataSeconds: ready - before,
          stepSeconds: clock() - ready,
        });
        if (shouldStop()) return await interrupt(index + 1);
      }

      const isLast = epoch + 1 >= args.epochs;
      let validation: ValidationResult | null = null;
      if (valDataset !== null && (args.val || isLast)) {
        validation = await validator.run({
          dataset: valDataset,
          batch: args.batch * validationBatchFactor,
          imgsz: args.imgsz,
          conf: args.conf,
          iou: args.iou,
          maxDetections: args.max_det,
          onBatch: (batch, count) => emit({ type: "validation-batch", epoch, batch, batches: count }),
          shouldStop,
          clock,
        });
        if (validation === null) return await interrupt(batches);
        await emit({ type: "validation", epoch, result: validation });
      }

      const row = toRow({
        epoch,
        trainLoss: meanItems(sums, batches),
        validation,
        lr: schedule.at(epoch, (epoch + 1) * batches - 1).lr,
      });
      rows.push(row);
      const fitness = validation?.fitness ?? 0;
      // Without a fitness the newest weights are the best ones known.
      const best = !args.val || fitness >= bestFitness;
      if (best) {
        bestFitness = fitness;
        bestEpoch = epoch;
      }
      await emit({ type: "epoch-end", epoch, row, fitness, best, seconds: clock() - started });
      const checkpoint = await save({ epoch: epoch + 1, batch: 0, sums: [0, 0, 0] });
      const kinds: ("last" | "best" | "period")[] = ["last"];
      if (best) kinds.push("best");
      if (args.save_period > 0 && (epoch + 1) % args.save_period === 0) kinds.push("period");
      await emit({ type: "checkpoint", epoch, kinds, interrupted: false, checkpoint });
      if (isLast) return finish("finished", checkpoint);
      if (args.patience > 0 && epoch - bestEpoch >= args.patience) return finish("early-stop", checkpoint);
      if (shouldStop()) return finish("interrupted", checkpoint);
    }
  } finally {
    step.dispose();
    validator.dispose();
  }
}

/** The part that a program takes of what it may have: of the memory, and of the largest buffer. */
const shareOf = ({ arena, available, buffer }: PlannedMemory): number =>
  Math.max(arena / available, buffer ? buffer.needed / buffer.available : 0);

function startProgress({ args, dataset }: TrainOptions): Progress {
  checkArgs(args);
  const images = dataset.samples.length;
  return {
    args,
    images,
    epoch: 0,
    batch: 0,
    lastStep: -1,
    updates: 0,
    sums: [0, 0, 0],
    bestFitness: 0,
    bestEpoch: -1,
    rows: [],
  };
}

function checkArgs({ epochs, batch, imgsz }: TrainArgs): void {
  for (const [name, value] of Object.entries({ epochs, batch, imgsz })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new UserError(`${name}: expected a positive whole number, got ${value}`);
    }
  }
}

function checkResume(progress: Progress, images: number): Progress {
  const { args, epoch } = progress;
  const missing = Object.keys(defaultTrainArgs).find((name) => !(name in args));
  if (missing !== undefined) {
    throw new UserError(
      `resume: expected a checkpoint of this version, got one without ${missing} (start a new training with pretrained=)`,
    );
  }
  if (epoch >= args.epochs) {
    throw new UserError(
      `resume: this training has finished its ${args.epochs} epochs (start a new one with model=...)`,
    );
  }
  if (images !== progress.images) {
    throw new UserError(
      `resume: expected the dataset of ${progress.images} usable pictures that it began with, got ${images}`,
    );
  }
  return progress;
}

function checkClasses({ nc }: DetectModel, classes: number): void {
  if (nc !== classes) throw new UserError(`model: expected ${classes} classes as in the dataset, got a model of ${nc}`);
}

/** Stops the training of the first layers, or of those listed; returns the names of all parameters that do not train. */
function freeze(model: DetectModel, layers: TrainArgs["freeze"]): string[] {
  const indices = typeof layers === "number" ? Array.from({ length: layers }, (_, i) => i) : (layers ?? []);
  const last = model.layers.length - 1;
  const wrong = indices.find((i) => i > last);
  if (wrong !== undefined) throw new UserError(`freeze: expected layers 0..${last}, got ${wrong}`);
  const parameters = [...namedParameters(model)];
  for (const [key, parameter] of parameters) {
    if (indices.some((i) => key.startsWith(`model.${i}.`))) parameter.trainable = false;
  }
  const frozen = parameters.filter(([, { trainable }]) => !trainable).map(([key]) => key);
  if (frozen.length === parameters.length)
    throw new UserError("freeze: expected something left to train, got all layers");
  return frozen;
}

function requireFinite({ total, norm }: { total: number; norm: number | null }, epoch: number, batch: number): void {
  if (!Number.isFinite(total)) throw new NonFiniteLossError("loss", { epoch, batch, value: total });
  if (norm !== null && !Number.isFinite(norm)) throw new NonFiniteLossError("gradient", { epoch, batch, value: norm });
}

const meanItems = ([box, cls, dfl]: LossItems, count: number): LossItems => [box / count, cls / count, dfl / count];

function toRow(row: {
  epoch: number;
  trainLoss: LossItems;
  validation: ValidationResult | null;
  lr: ResultsRow["lr"];
}): ResultsRow {
  const { epoch, trainLoss, validation, lr } = row;
  const { precision, recall, map50, map } = validation?.all ?? { precision: 0, recall: 0, map50: 0, map: 0 };
  return {
    epoch: epoch + 1,
    trainLoss,
    metrics: [precision, recall, map50, map],
    valLoss: validation?.loss ?? [0, 0, 0],
    lr,
  };
}
