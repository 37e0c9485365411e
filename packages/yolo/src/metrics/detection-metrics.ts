// The numbers a validation reports, and the evaluator that gathers them image by image.
import { type ClassMetrics, classMetrics } from "./average-precision.ts";
import { ConfusionMatrix } from "./confusion-matrix.ts";
import { IOU_THRESHOLDS, matchDetections, type TargetRows } from "./matching.ts";
import type { Detections } from "./nms.ts";

/** Weights of mAP50 and mAP50-95 in the number by which the best epoch is chosen. */
const FITNESS_WEIGHTS = { map50: 0.1, map: 0.9 };
const IOU_75 = 5;

/** Means over the classes that have targets. */
export interface DetectionMetrics {
  readonly precision: number;
  readonly recall: number;
  /** Mean average precision at IoU 0.5. */
  readonly map50: number;
  /** Mean average precision at IoU 0.75. */
  readonly map75: number;
  /** Mean average precision over the ten thresholds 0.5 ... 0.95. */
  readonly map: number;
  readonly fitness: number;
  /** Average precision (mean over thresholds) of every class 0 ... nc - 1; `map` for those without targets. */
  readonly maps: Float64Array;
  readonly perClass: ClassMetrics;
}

/** 0.1 mAP50 + 0.9 mAP50-95, the number by which the best epoch is chosen. */
export function fitness({ map50, map }: { readonly map50: number; readonly map: number }): number {
  return FITNESS_WEIGHTS.map50 * map50 + FITNESS_WEIGHTS.map * map;
}

/** Means of `perClass` for a model of `nc` classes; all 0 when there were no targets. */
export function summarize(perClass: ClassMetrics, nc: number): DetectionMetrics {
  const { averagePrecision } = perClass;
  const map50 = mean(averagePrecision.map((ap) => ap[0]!));
  const ofClass = averagePrecision.map(mean);
  const map = mean(ofClass);
  const maps = new Float64Array(nc).fill(map);
  perClass.classes.forEach((c, k) => {
    maps[c] = ofClass[k]!;
  });
  return {
    precision: mean(perClass.precision),
    recall: mean(perClass.recall),
    map50,
    map75: mean(averagePrecision.map((ap) => ap[IOU_75]!)),
    map,
    fitness: fitness({ map50, map }),
    maps,
    perClass,
  };
}

/** Gathers the detections of a data set image by image. Mutated by `add`. */
export class DetectionEvaluator {
  readonly nc: number;
  readonly confusion: ConfusionMatrix;
  readonly #correct: Uint8Array[] = [];
  readonly #confidence: number[] = [];
  readonly #predicted: number[] = [];
  readonly #targets: number[] = [];

  /** @param conf confidence above which a detection enters the confusion matrix. */
  constructor(nc: number, { conf = 0.25 }: { readonly conf?: number } = {}) {
    this.nc = nc;
    this.confusion = new ConfusionMatrix(nc, { conf });
  }

  /** Adds one image: detections by falling confidence (as suppression gives them) and rows class, x1, y1, x2, y2. */
  add(detections: Detections, targets: TargetRows): void {
    const { count, width, data } = detections;
    this.#correct.push(matchDetections(detections, targets));
    for (let i = 0; i < count; i++) {
      this.#confidence.push(data[i * width + 4]!);
      this.#predicted.push(data[i * width + 5]!);
    }
    for (let j = 0; j < targets.length; j += 5) this.#targets.push(targets[j]!);
    this.confusion.add(detections, targets);
  }

  /** The measures over all images so far. */
  result(): DetectionMetrics {
    const truePositive = new Uint8Array(this.#confidence.length * IOU_THRESHOLDS.length);
    let at = 0;
    for (const rows of this.#correct) {
      truePositive.set(rows, at);
      at += rows.length;
    }
    const perClass = classMetrics({
      truePositive,
      confidence: Float32Array.from(this.#confidence),
      predictedClass: this.#predicted,
      targetClass: this.#targets,
    });
    return summarize(perClass, this.nc);
  }
}

function mean(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return values.length === 0 ? 0 : total / values.length;
}
