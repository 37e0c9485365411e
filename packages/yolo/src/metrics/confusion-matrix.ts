// The confusion matrix of a detector: predicted class by true class, with a background row and column.
import { boxIouMatrix } from "./box-iou.ts";
import { detectionBoxes, type TargetRows, targetBoxes } from "./matching.ts";
import type { Detections } from "./nms.ts";
import { descendingOrder } from "./order.ts";

export interface ConfusionOptions {
  /** Detections must exceed this confidence. */
  readonly conf?: number;
  /** Pairs must exceed this IoU, whatever their classes. */
  readonly iou?: number;
}

/** Counts pairs of predicted and true classes over images; the last row and column stand for the background. */
export class ConfusionMatrix {
  readonly nc: number;
  /** (nc + 1) x (nc + 1), row-major: rows are predictions, columns are truths. Mutated by `add`. */
  readonly counts: Float64Array;
  readonly #conf: number;
  readonly #iou: number;

  constructor(nc: number, { conf = 0.25, iou = 0.45 }: ConfusionOptions = {}) {
    this.nc = nc;
    this.counts = new Float64Array((nc + 1) ** 2);
    this.#conf = conf;
    this.#iou = iou;
  }

  /**
   * Counts one image: pairs are made greedily, the largest IoU first, each box at most once.
   *
   * As in the reference implementation, the detections of an image that has targets but not one pair are not counted
   * against the background.
   */
  add(detections: Detections, targets: TargetRows): void {
    const { nc } = this;
    const sure = confident(detections, this.#conf);
    const m = targets.length / 5;
    const iou = boxIouMatrix(detectionBoxes(sure), targetBoxes(targets));
    const detectionOf = new Int32Array(m).fill(-1);
    const matched = new Uint8Array(sure.count);
    for (const pair of descendingOrder(iou)) {
      if (!(iou[pair]! > this.#iou)) break;
      const target = pair % m;
      const detection = (pair - target) / m;
      if (matched[detection] || detectionOf[target]! >= 0) continue;
      matched[detection] = 1;
      detectionOf[target] = detection;
    }
    const predicted = (i: number): number => sure.data[i * sure.width + 5]!;
    for (let j = 0; j < m; j++) this.#count(detectionOf[j]! < 0 ? nc : predicted(detectionOf[j]!), targets[5 * j]!);
    if (m > 0 && !matched.includes(1)) return;
    for (let i = 0; i < sure.count; i++) if (!matched[i]) this.#count(predicted(i), nc);
  }

  #count(predicted: number, truth: number): void {
    const at = predicted * (this.nc + 1) + truth;
    this.counts[at] = this.counts[at]! + 1;
  }
}

function confident({ count, width, data }: Detections, conf: number): Detections {
  const rows: number[] = [];
  for (let i = 0; i < count; i++) if (data[i * width + 4]! > conf) rows.push(i);
  const kept = new Float32Array(rows.length * width);
  rows.forEach((i, k) => {
    kept.set(data.subarray(i * width, (i + 1) * width), k * width);
  });
  return { count: rows.length, width, data: kept };
}
