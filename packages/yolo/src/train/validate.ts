// Validation: runs a model over a dataset and measures what it finds.
import { namedVariables } from "@orepa/autograd";
import { cast, compile, type DeviceSpec, fromData, isFloating, sizeOf, type Tensor } from "@orepa/tensor";
import { validationLoader } from "../data/batch.ts";
import type { Dataset, Sample } from "../data/types.ts";
import { detectionLoss, type LossGains } from "../loss/detection-loss.ts";
import { DetectionEvaluator, type DetectionMetrics } from "../metrics/detection-metrics.ts";
import { type Detections, nonMaxSuppression } from "../metrics/nms.ts";
import type { DetectModel } from "../model/detect-model.ts";
import { scaleToPicture } from "../predict/postprocess.ts";
import type { ClassRow, ValidatedImage, ValidateOptions, ValidationResult } from "./events.ts";
import { requireFit } from "./fit.ts";
import { batchSpecs } from "./step.ts";

/** Validation options apart from model, device and loss, which a validator is made with. */
type RunOptions = Omit<ValidateOptions, "model" | "device" | "loss">;

/** Which batches a validation has. */
type BatchOptions = Pick<RunOptions, "dataset" | "batch" | "imgsz" | "rect">;

/** A model's compiled evaluation, to be run again after its weights have changed. */
export interface Validator {
  /** Compiles and plans the largest batch. @throws MemoryError if it does not fit. */
  prepare(options: BatchOptions): void;
  /** The result, or null when `shouldStop` asked to end before it was complete. */
  run(options: RunOptions): Promise<ValidationResult | null>;
  dispose(): void;
}

/**
 * Runs a model over a dataset once. Null when `shouldStop` asked to end.
 * Throws a UserError that names the largest batch that fits, if this one does not.
 */
export async function validate(options: ValidateOptions): Promise<ValidationResult | null> {
  const validator = createValidator(options.model, options);
  try {
    const { imgsz, batch } = options;
    requireFit({
      ...{ imgsz, batch: Math.min(batch, options.dataset.samples.length) },
      prepare: (count) => validator.prepare({ ...options, batch: count }),
      release: validator.dispose,
    });
    return await validator.run(options);
  } finally {
    validator.dispose();
  }
}

/** Compiles the evaluation of a model: decoded boxes and, with `loss`, the loss items of its raw maps. */
export function createValidator(
  model: DetectModel,
  { device, loss }: { readonly device: DeviceSpec; readonly loss?: LossGains },
): Validator {
  const { nc, strides } = model;
  const dtype = [...namedVariables(model).values()].find((variable) => isFloating(variable.dtype))!.dtype;
  const evaluate = compile(
    (images: Tensor, targets: Tensor): Record<string, Tensor> => {
      const { decoded, maps } = model.forward(cast(images, dtype), "eval");
      if (loss === undefined) return { decoded: decoded! };
      return {
        decoded: decoded!,
        items: detectionLoss(maps, cast(targets, dtype), { nc, strides, gains: loss }).items,
      };
    },
    { device },
  );
  const stride = Math.max(...strides);
  const prepare = ({ rect = true, ...options }: BatchOptions): void => {
    const loader = validationLoader(options.dataset, { ...options, rect, stride });
    const batches = Array.from({ length: loader.batches }, (_, index) => loader.shapes(index));
    const largest = batches.sort((a, b) => sizeOf(b.shape) - sizeOf(a.shape))[0];
    if (largest) evaluate.prepare(...batchSpecs(largest));
  };
  return { prepare, run: (options) => run(evaluate, { nc, stride }, options), dispose: evaluate.dispose };
}

async function run(
  evaluate: (images: Tensor, targets: Tensor) => Promise<Record<string, Tensor>>,
  { nc, stride }: { nc: number; stride: number },
  options: RunOptions,
): Promise<ValidationResult | null> {
  const { dataset, batch: size, imgsz, rect = true, conf = 0.001, iou = 0.7, maxDetections = 300 } = options;
  const { keepDetections = false, onBatch, shouldStop, clock = () => performance.now() / 1000 } = options;
  const loader = validationLoader(dataset, { batch: size, imgsz, rect, stride });
  const evaluator = new DetectionEvaluator(nc);
  const images: ValidatedImage[] = [];
  const sums = [0, 0, 0];
  let hasLoss = false;
  const seconds = { preprocess: 0, inference: 0, postprocess: 0 };
  let last = clock();
  const lap = (what: keyof typeof seconds) => {
    const now = clock();
    seconds[what] += now - last;
    last = now;
  };
  for (let index = 0; index < loader.batches; index++) {
    const batch = await loader.batch(0, index);
    lap("preprocess");
    const { decoded, items } = await evaluate(
      fromData(batch.images, batch.shape),
      fromData(batch.targets, batch.targetShape),
    );
    lap("inference");
    if (items !== undefined) {
      hasLoss = true;
      for (const [i, value] of items.toTypedArray().entries()) sums[i]! += value;
    }
    // Decoded boxes are of a floating dtype and of rank 3.
    const output = decoded!.toTypedArray() as Float32Array | Float64Array;
    const shape = decoded!.shape as readonly [number, number, number];
    const found = nonMaxSuppression(output, shape, { nc, conf, iou, maxDet: maxDetections, multiLabel: true });
    for (const [i, detections] of found.entries()) {
      const sample = dataset.samples[batch.indices[i]!]!;
      const placed = scaleToPicture(detections, { placement: batch.placements[i]!, picture: sample });
      const truths = truthsOf(sample);
      evaluator.add(placed, Float64Array.from(truths.flatMap(({ classIndex, box }) => [classIndex, ...box])));
      if (keepDetections) images.push({ file: sample.file, detections: listDetections(placed), truths });
    }
    lap("postprocess");
    await onBatch?.(index, loader.batches);
    last = clock();
    if (shouldStop?.() === true && index + 1 < loader.batches) return null;
  }
  const perImage = (total: number) => (total / dataset.samples.length) * 1000;
  const metrics = evaluator.result();
  return {
    ...toRows(metrics, dataset),
    loss: hasLoss ? [sums[0]! / loader.batches, sums[1]! / loader.batches, sums[2]! / loader.batches] : null,
    fitness: metrics.fitness,
    speed: {
      preprocess: perImage(seconds.preprocess),
      inference: perImage(seconds.inference),
      postprocess: perImage(seconds.postprocess),
    },
    images,
    curves: {
      precision: metrics.perClass.precisionCurve.map((curve) => [...curve]),
      recall: metrics.perClass.recallCurve.map((curve) => [...curve]),
      f1: metrics.perClass.f1Curve.map((curve) => [...curve]),
    },
    confusion: toMatrix(evaluator.confusion.counts, nc + 1),
  };
}

function truthsOf({ boxes, width, height }: Sample): ValidatedImage["truths"] {
  return boxes.map(([classIndex, cx, cy, w, h]) => ({
    classIndex,
    box: [(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height],
  }));
}

function listDetections({ count, width, data }: Detections): ValidatedImage["detections"] {
  return Array.from({ length: count }, (_, i) => {
    const [x1, y1, x2, y2, score, classIndex] = data.subarray(i * width, i * width + 6);
    return { box: [x1!, y1!, x2!, y2!], score: score!, classIndex: classIndex! };
  });
}

function toRows(metrics: DetectionMetrics, dataset: Dataset): Pick<ValidationResult, "all" | "classes"> {
  const { perClass, precision, recall, map50, map } = metrics;
  const imagesWith = (c: number) => dataset.samples.filter(({ boxes }) => boxes.some(([k]) => k === c)).length;
  const classes = perClass.classes.map((c, k): ClassRow => {
    const ap = perClass.averagePrecision[k]!;
    return {
      name: dataset.names[c]!,
      images: imagesWith(c),
      instances: perClass.targetCount[k]!,
      precision: perClass.precision[k]!,
      recall: perClass.recall[k]!,
      map50: ap[0]!,
      map: ap.reduce((a, b) => a + b) / ap.length,
    };
  });
  const instances = perClass.targetCount.reduce((a, b) => a + b, 0);
  return { all: { name: "all", images: dataset.samples.length, instances, precision, recall, map50, map }, classes };
}

function toMatrix(values: Float64Array, side: number): number[][] {
  return Array.from({ length: side }, (_, row) => [...values.subarray(row * side, (row + 1) * side)]);
}
