// Matching, average precision, curves and the confusion matrix against reference results.
import { readFileSync } from "node:fs";
import { readSafetensors } from "@orepa/autograd";
import { describe, expect, it } from "vitest";
import { averagePrecision, classMetrics } from "./average-precision.ts";
import { DetectionEvaluator, fitness } from "./detection-metrics.ts";
import { boxFilter, interpolate } from "./interpolate.ts";
import { IOU_THRESHOLDS, matchDetections } from "./matching.ts";

const fixture = (name: string): Uint8Array => readFileSync(new URL(`../../../../fixtures/${name}`, import.meta.url));
const { tensors } = readSafetensors(fixture("metrics.safetensors"));
const json = JSON.parse(new TextDecoder().decode(fixture("metrics.json"))) as Record<Case, Expected> & {
  iou_thresholds: number[];
  compute_ap: { recall: number[]; precision: number[]; ap: number };
  smooth: { y: number[]; f: number; out: number[]; out_f05: number[] };
};
const names = ["mixed", "good", "missing_classes", "perfect"] as const;
type Case = (typeof names)[number];
interface Expected {
  readonly nc: number;
  readonly mean_results: number[];
  readonly map75: number;
  readonly maps: number[];
  readonly fitness: number;
  readonly ap_per_class: number[][];
  readonly classes: number[];
}

/** The reference curves are float32: half a unit in the last place of numbers up to 1. */
const FLOAT32 = 6e-8;
/** Sums of at most 1000 doubles. */
const FLOAT64 = 1000 * Number.EPSILON;

const rowsOf = (name: string): number[][] => {
  const { shape, toTypedArray } = {
    shape: tensors.get(name)!.shape,
    toTypedArray: () => tensors.get(name)!.toTypedArray(),
  };
  const data = toTypedArray();
  return Array.from({ length: shape[0]! }, (_, i) => Array.from(data.slice(i * shape[1]!, (i + 1) * shape[1]!)));
};

/** Detections and targets of a case, image by image. */
function images(
  name: Case,
): { detections: { count: number; width: number; data: Float32Array }; targets: Float32Array }[] {
  const det = rowsOf(`${name}.det`);
  const gt = rowsOf(`${name}.gt`);
  const count = Math.max(...det.map((r) => r[0]!), ...gt.map((r) => r[0]!)) + 1;
  return Array.from({ length: count }, (_, i) => {
    const mine = det.filter((r) => r[0] === i);
    return {
      detections: { count: mine.length, width: 6, data: Float32Array.from(mine.flatMap((r) => r.slice(1))) },
      targets: Float32Array.from(gt.filter((r) => r[0] === i).flatMap((r) => r.slice(1))),
    };
  });
}

const expectClose = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void => {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++)
    if (!(Math.abs(actual[i]! - expected[i]!) <= tolerance))
      throw new Error(`element ${i}: expected ${expected[i]}, got ${actual[i]} (tolerance ${tolerance})`);
};
const flat = (rows: readonly ArrayLike<number>[]): number[] => rows.flatMap((r) => Array.from(r));

describe.each(names)("metrics of the case %s", (name) => {
  const expected = json[name];

  it("has the reference's true positives", () => {
    const correct = images(name).flatMap(({ detections, targets }) => [...matchDetections(detections, targets)]);
    expect(correct).toEqual([...tensors.get(`${name}.tp`)!.toTypedArray()]);
  });

  it("has the reference's average precision and curves", () => {
    const det = rowsOf(`${name}.det`);
    const result = classMetrics({
      truePositive: Uint8Array.from(tensors.get(`${name}.tp`)!.toTypedArray()),
      confidence: Float32Array.from(det, (r) => r[5]!),
      predictedClass: det.map((r) => r[6]!),
      targetClass: rowsOf(`${name}.gt`).map((r) => r[1]!),
    });
    const stored = (what: string): ArrayLike<number> => tensors.get(`${name}.${what}`)!.toTypedArray();
    expect(result.classes).toEqual(expected.classes);
    expectClose(flat(result.averagePrecision), expected.ap_per_class.flat(), FLOAT64);
    expectClose(flat(result.averagePrecision), stored("ap"), FLOAT32);
    expectClose(result.precision, stored("p"), FLOAT32);
    expectClose(result.recall, stored("r"), FLOAT32);
    expectClose(result.f1, stored("f1"), FLOAT32);
    expectClose(result.truePositives, stored("tp_at_f1"), 0);
    expectClose(result.falsePositives, stored("fp_at_f1"), 0);
    expectClose(flat(result.precisionCurve), stored("p_curve"), FLOAT32);
    expectClose(flat(result.recallCurve), stored("r_curve"), FLOAT32);
    expectClose(flat(result.f1Curve), stored("f1_curve"), FLOAT32);
  });

  it("has the reference's means, fitness and confusion matrix", () => {
    const evaluator = new DetectionEvaluator(expected.nc);
    for (const { detections, targets } of images(name)) evaluator.add(detections, targets);
    const result = evaluator.result();
    expectClose([result.precision, result.recall, result.map50, result.map], expected.mean_results, FLOAT64);
    expectClose([result.map75, result.fitness], [expected.map75, expected.fitness], FLOAT64);
    expectClose(result.maps, expected.maps, FLOAT64);
    expectClose(evaluator.confusion.counts, tensors.get(`${name}.confusion`)!.toTypedArray(), 0);
  });
});

describe("the parts", () => {
  it("match at the reference's thresholds", () => {
    expectClose(IOU_THRESHOLDS, json.iou_thresholds, 1e-8);
  });

  it("interpolate the precision envelope", () => {
    const { recall, precision, ap } = json.compute_ap;
    expectClose([averagePrecision(recall, precision)], [ap], FLOAT64);
  });

  it("hold a million detections of one class", () => {
    const n = 1_000_000;
    const recall = new Float64Array(n).map((_, i) => (i + 1) / n);
    // Precision 1/2 everywhere; the envelope starts at 1 and ends at 0, and the two half steps cancel.
    expect(averagePrecision(recall, new Float64Array(n).fill(0.5))).toBeCloseTo(0.5, 12);
  });

  it("smooth with a centred box", () => {
    const { y, f, out, out_f05 } = json.smooth;
    expectClose(boxFilter(y, f), out, FLOAT64);
    expectClose(boxFilter(y, 0.05), out_f05, FLOAT64);
  });

  it("interpolate between, at and outside of the points", () => {
    expect([...interpolate([-1, 0, 1, 2, 5], [0, 2, 2, 4], [1, 3, 7, 9], -5)]).toEqual([-5, 1, 2, 7, 9]);
  });

  it("weigh mAP50 with 0.1 and mAP50-95 with 0.9", () => {
    expect(fitness({ map50: 1, map: 0 })).toBe(0.1);
    expect(fitness({ map50: 0, map: 1 })).toBe(0.9);
  });

  it("give 0 without targets and without detections", () => {
    const { precision, recall, map50, map } = new DetectionEvaluator(3).result();
    expect([precision, recall, map50, map]).toEqual([0, 0, 0, 0]);
  });
});
