// Average precision of detections, and precision, recall and F1 as functions of the confidence threshold.
import { roundHalfEven } from "../round.ts";
import { boxFilter, interpolate, unitGrid } from "./interpolate.ts";
import { IOU_THRESHOLDS } from "./matching.ts";
import { descendingOrder } from "./order.ts";

/** Keeps quotients finite; the value of the reference implementation. */
const EPSILON = 1e-16;
/** Confidence thresholds at which the curves are drawn. */
const CURVE_POINTS = 1000;
/** Recall positions of the COCO measure. */
const RECALL_POINTS = 101;
/** Width of the filter that smooths the mean F1 curve before its maximum is taken. */
const F1_SMOOTHING = 0.1;

/** Detections and targets of a whole data set, as parallel lists. */
export interface Matches {
  /** (detections x 10) of 0 and 1: true positive at each of `IOU_THRESHOLDS`. */
  readonly truePositive: Uint8Array;
  readonly confidence: Float32Array;
  readonly predictedClass: ArrayLike<number>;
  readonly targetClass: ArrayLike<number>;
}

/** Measures of the classes that have targets; each list has one entry for each of `classes`. */
export interface ClassMetrics {
  readonly classes: number[];
  readonly targetCount: number[];
  /** Average precision at each of the ten IoU thresholds. */
  readonly averagePrecision: Float64Array[];
  /** At the confidence threshold of the best mean F1, with boxes of IoU 0.5. */
  readonly precision: Float64Array;
  readonly recall: Float64Array;
  readonly f1: Float64Array;
  readonly truePositives: Float64Array;
  readonly falsePositives: Float64Array;
  /** Over 1000 confidence thresholds from 0 to 1, with boxes of IoU 0.5. */
  readonly precisionCurve: Float64Array[];
  readonly recallCurve: Float64Array[];
  readonly f1Curve: Float64Array[];
  /** The confidence threshold of the best mean F1. */
  readonly bestConfidence: number;
}

/** Average precision and curves of every class that has targets. */
export function classMetrics({ truePositive, confidence, predictedClass, targetClass }: Matches): ClassMetrics {
  const counts = new Map<number, number>();
  for (let i = 0; i < targetClass.length; i++) counts.set(targetClass[i]!, (counts.get(targetClass[i]!) ?? 0) + 1);
  const classes = [...counts.keys()].sort((a, b) => a - b);
  const targetCount = classes.map((c) => counts.get(c)!);

  const detections = new Map<number, number[]>(classes.map((c) => [c, []]));
  for (const i of descendingOrder(confidence)) detections.get(predictedClass[i]!)?.push(i);
  const perClass = classes.map((c, k) => oneClass(detections.get(c)!, targetCount[k]!, truePositive, confidence));

  const best = argmax(boxFilter(meanOf(perClass.map((c) => c.f1)), F1_SMOOTHING));
  const at = (pick: (curve: Curves) => Float64Array): Float64Array =>
    Float64Array.from(perClass, (c) => pick(c)[best]!);
  const precision = at((c) => c.precision);
  const recall = at((c) => c.recall);
  const truePositives = recall.map((r, k) => roundHalfEven(r * targetCount[k]!));
  return {
    classes,
    targetCount,
    averagePrecision: perClass.map((c) => c.averagePrecision),
    precision,
    recall,
    f1: at((c) => c.f1),
    truePositives,
    falsePositives: truePositives.map((t, k) => roundHalfEven(t / (precision[k]! + EPSILON) - t)),
    precisionCurve: perClass.map((c) => c.precision),
    recallCurve: perClass.map((c) => c.recall),
    f1Curve: perClass.map((c) => c.f1),
    bestConfidence: confidenceGrid[best]!,
  };
}

/**
 * Area under the precision envelope of one class, interpolated at 101 recalls (COCO), by the trapezoid rule.
 *
 * @param recall rising with falling confidence, as `precision` of the same length.
 */
export function averagePrecision(recall: ArrayLike<number>, precision: ArrayLike<number>): number {
  const n = recall.length;
  const x = new Float64Array(n + 2);
  x.set(recall, 1);
  x[n + 1] = 1;
  const envelope = new Float64Array(n + 2);
  envelope[0] = 1;
  envelope.set(precision, 1);
  for (let i = n; i >= 0; i--) envelope[i] = Math.max(envelope[i]!, envelope[i + 1]!);
  const y = interpolate(recallGrid, x, envelope);
  let area = 0;
  for (let i = 1; i < RECALL_POINTS; i++) area += ((recallGrid[i]! - recallGrid[i - 1]!) * (y[i]! + y[i - 1]!)) / 2;
  return area;
}

interface Curves {
  readonly averagePrecision: Float64Array;
  readonly precision: Float64Array;
  readonly recall: Float64Array;
  readonly f1: Float64Array;
}

const confidenceGrid = unitGrid(CURVE_POINTS);
const recallGrid = unitGrid(RECALL_POINTS);

/** `rows` are the detections of the class by falling confidence. */
function oneClass(
  rows: readonly number[],
  targets: number,
  truePositive: Uint8Array,
  confidence: Float32Array,
): Curves {
  const thresholds = IOU_THRESHOLDS.length;
  const ap = new Float64Array(thresholds);
  const zero = (): Float64Array => new Float64Array(CURVE_POINTS);
  if (rows.length === 0) return { averagePrecision: ap, precision: zero(), recall: zero(), f1: zero() };

  const recallAt = new Float64Array(rows.length);
  const precisionAt = new Float64Array(rows.length);
  let curves: Omit<Curves, "averagePrecision"> | undefined;
  for (let t = 0; t < thresholds; t++) {
    let hits = 0;
    rows.forEach((row, i) => {
      hits += truePositive[row * thresholds + t]!;
      recallAt[i] = hits / (targets + EPSILON);
      precisionAt[i] = hits / (i + 1);
    });
    ap[t] = averagePrecision(recallAt, precisionAt);
    curves ??= curvesOverConfidence(rows, confidence, precisionAt, recallAt);
  }
  return { averagePrecision: ap, ...curves! };
}

/** Above the highest confidence nothing is detected: precision 1, recall 0. */
function curvesOverConfidence(
  rows: readonly number[],
  confidence: Float32Array,
  precisionAt: Float64Array,
  recallAt: Float64Array,
): Omit<Curves, "averagePrecision"> {
  const rising = Float64Array.from(rows, (row) => -confidence[row]!);
  const positions = confidenceGrid.map((x) => -x).reverse();
  const recall = interpolate(positions, rising, recallAt, 0).reverse();
  const precision = interpolate(positions, rising, precisionAt, 1).reverse();
  const f1 = precision.map((p, i) => (2 * p * recall[i]!) / (p + recall[i]! + EPSILON));
  return { precision, recall, f1 };
}

function meanOf(curves: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(CURVE_POINTS);
  for (const c of curves) for (let i = 0; i < CURVE_POINTS; i++) out[i] = out[i]! + c[i]! / curves.length;
  return out;
}

function argmax(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
