// The trainer's interface: its arguments, what it tells while it runs, and what it returns. Types only.
import type { DeviceSpec, Tensor } from "@orepa/tensor";
import type { Loader, TrainLoaderOptions } from "../data/batch.ts";
import type { TrainAugmentArgs } from "../data/train-sample.ts";
import type { Dataset } from "../data/types.ts";
import type { LossGains } from "../loss/detection-loss.ts";
import type { DetectModel } from "../model/detect-model.ts";

/** The arguments of a training; names and defaults are those of the command line. See `defaultTrainArgs`. */
export interface TrainArgs extends TrainAugmentArgs {
  readonly epochs: number;
  readonly batch: number;
  /** Side of the square input in pixels, a multiple of 32. */
  readonly imgsz: number;
  readonly patience: number;
  readonly seed: number;
  readonly optimizer: "auto" | "SGD" | "AdamW";
  readonly lr0: number;
  readonly lrf: number;
  readonly momentum: number;
  readonly weight_decay: number;
  readonly warmup_epochs: number;
  readonly warmup_momentum: number;
  readonly warmup_bias_lr: number;
  readonly cos_lr: boolean;
  /** Nominal batch: gradients are summed over `nbs / batch` batches before a step. */
  readonly nbs: number;
  /** Gains of the three loss items. */
  readonly box: number;
  readonly cls: number;
  readonly dfl: number;
  /** Layers whose parameters stay as they are: the first N, or a list of layer indices. */
  readonly freeze: number | readonly number[] | null;
  /** Validate after every epoch; without it the fitness is unknown and best = last. */
  readonly val: boolean;
  /** Additional checkpoint every n epochs; -1: none. */
  readonly save_period: number;
  /** Validation: smallest score kept, IoU above which a weaker box is dropped, boxes kept per picture. */
  readonly conf: number;
  readonly iou: number;
  readonly max_det: number;
}

/** The values of the three loss items: box, class, distribution; already multiplied by their gains. */
export type LossItems = readonly [box: number, cls: number, dfl: number];

/** Everything needed to go on exactly where a training stood, and the weights for everyone else; `{tensors, metadata}` is what `writeSafetensors` takes.
 * Plain keys hold the averaged (EMA) weights under their state-dict names; keys with the prefix `train/` hold what only a resume needs. */
export interface Checkpoint {
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Record<string, string>;
}

/** Precision, recall and average precision of one class, or of all. */
export interface ClassRow {
  readonly name: string;
  /** Pictures that hold the class (for `all`: all pictures). */
  readonly images: number;
  readonly instances: number;
  readonly precision: number;
  readonly recall: number;
  readonly map50: number;
  readonly map: number;
}

/** Milliseconds a picture: loading and resizing, the program (the loss too where it is asked for), suppression. */
export interface Speeds {
  readonly preprocess: number;
  readonly inference: number;
  readonly postprocess: number;
}

/** A detection in pixels of the original picture. */
export interface Detection {
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  readonly score: number;
  readonly classIndex: number;
}

/** A validated picture: what was found and what is there, in pixels of the original picture. */
export interface ValidatedImage {
  readonly file: string;
  readonly detections: readonly Detection[];
  readonly truths: readonly { readonly box: readonly [number, number, number, number]; readonly classIndex: number }[];
}

/** The result of a validation. */
export interface ValidationResult {
  readonly all: ClassRow;
  /** One row per class that has targets, in class order. */
  readonly classes: readonly ClassRow[];
  /** Mean loss items over the batches; null when the loss was not asked for. */
  readonly loss: LossItems | null;
  /** 0.1 mAP50 + 0.9 mAP50-95. */
  readonly fitness: number;
  readonly speed: Speeds;
  /** Per picture, for plots and files; only with `keepDetections`. */
  readonly images: readonly ValidatedImage[];
  /** Curves over 1000 confidences for plots: rows as `classes`. */
  readonly curves: { readonly precision: number[][]; readonly recall: number[][]; readonly f1: number[][] };
  /** `confusion[predicted][true]`, the last row and column being the background. */
  readonly confusion: number[][];
}

/** One row of results.csv. */
export interface ResultsRow {
  /** From 1. */
  readonly epoch: number;
  readonly trainLoss: LossItems;
  /** precision, recall, mAP50, mAP50-95; zeros without validation. */
  readonly metrics: readonly [number, number, number, number];
  readonly valLoss: LossItems;
  /** Learning rates of the groups: biases, decayed weights, normalisation weights. */
  readonly lr: readonly [number, number, number];
}

/** How the optimizer was set up. */
export interface OptimizerPlan {
  readonly name: "SGD" | "AdamW";
  readonly lr: number;
  readonly momentum: number;
  readonly warmupBiasLr: number;
  /** Decay of the decayed group, after scaling by batch and accumulation. */
  readonly weightDecay: number;
}

/** What the trainer tells while it runs. Epochs and batches count from 0. */
export type TrainEvent =
  | {
      readonly type: "start";
      readonly optimizer: OptimizerPlan;
      /** Numbers of tensors: biases, decayed weights, normalisation weights. */
      readonly groups: readonly [number, number, number];
      readonly trainImages: number;
      readonly valImages: number;
      /** Batches an epoch. */
      readonly batches: number;
      /** Where it begins: 0, 0 unless resumed. */
      readonly epoch: number;
      readonly batch: number;
      /** Names of the parameters that do not train. */
      readonly frozen: readonly string[];
    }
  | { readonly type: "epoch-start"; readonly epoch: number; readonly epochs: number; readonly batches: number }
  | {
      readonly type: "batch";
      readonly epoch: number;
      readonly batch: number;
      readonly batches: number;
      /** Running mean over the epoch. */
      readonly items: LossItems;
      readonly instances: number;
      readonly imgsz: number;
      readonly images: number;
      /** Bytes that the device shares among programs, planned for a whole batch; null where it plans none. */
      readonly memory: number | null;
      /** Seconds for data and for the step. */
      readonly dataSeconds: number;
      readonly stepSeconds: number;
    }
  | { readonly type: "validation-batch"; readonly epoch: number; readonly batch: number; readonly batches: number }
  | { readonly type: "validation"; readonly epoch: number; readonly result: ValidationResult }
  | {
      readonly type: "epoch-end";
      readonly epoch: number;
      readonly row: ResultsRow;
      readonly fitness: number;
      readonly best: boolean;
      readonly seconds: number;
    }
  | {
      readonly type: "checkpoint";
      readonly epoch: number;
      /** Which files it belongs in: `last` always, `best` at a new best, `period` at the epochs of save_period. */
      readonly kinds: readonly ("last" | "best" | "period")[];
      /** True in the middle of an epoch, after a stop was asked for. */
      readonly interrupted: boolean;
      readonly checkpoint: Checkpoint;
    };

/** What `train` takes. */
export interface TrainOptions {
  /** A new model with its starting weights. Called twice: one model to train, one for the average, which takes over the first one's weights. */
  readonly createModel: () => DetectModel;
  readonly dataset: Dataset;
  readonly valDataset: Dataset | null;
  readonly args: TrainArgs;
  readonly device: DeviceSpec;
  /** Continue from here; its arguments replace `args`. */
  readonly resume?: Checkpoint;
  /** Where the batches come from: a source of the same bytes as `trainLoader(dataset, options)`, which is the default. */
  readonly createLoader?: (options: TrainLoaderOptions) => Loader;
  /** Strings to keep in every checkpoint (model yaml, scale, class names ...). */
  readonly metadata?: Record<string, string>;
  /** Asked after every batch; true ends the run with a checkpoint in the middle of the epoch. */
  readonly shouldStop?: () => boolean;
  /** Receives every event; awaited, so a checkpoint can be written before training goes on. */
  readonly onEvent?: (event: TrainEvent) => void | Promise<void>;
  /** Seconds since any moment, for the times in events. Default: `performance.now() / 1000`. */
  readonly clock?: () => number;
}

/** How a training ended. */
export interface TrainResult {
  readonly reason: "finished" | "early-stop" | "interrupted";
  readonly rows: readonly ResultsRow[];
  /** Epoch of the best fitness (from 0), -1 when none was finished. */
  readonly bestEpoch: number;
  readonly bestFitness: number;
  /** The last checkpoint emitted. */
  readonly last: Checkpoint;
}

/** What `validate` takes. */
export interface ValidateOptions {
  readonly model: DetectModel;
  readonly dataset: Dataset;
  readonly device: DeviceSpec;
  /** Pictures a batch. */
  readonly batch: number;
  readonly imgsz: number;
  /** Rectangular batches: pictures sorted by aspect, each batch as small as it can be (default true). */
  readonly rect?: boolean;
  /** Smallest score kept (0.001), IoU of the suppression (0.7), boxes kept a picture (300). */
  readonly conf?: number;
  readonly iou?: number;
  readonly maxDetections?: number;
  /** Compute the loss items too, with these gains. */
  readonly loss?: LossGains;
  readonly keepDetections?: boolean;
  readonly onBatch?: (batch: number, batches: number) => void | Promise<void>;
  readonly shouldStop?: () => boolean;
  readonly clock?: () => number;
}
