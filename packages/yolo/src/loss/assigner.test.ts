// The assigner against reference assignments, and its rules on small cases.
import { readFileSync } from "node:fs";
import { readSafetensors } from "@orepa/autograd";
import { describe, expect, it } from "vitest";
import { type AssignerSizes, assignTargets, measureAlignment } from "./assigner.ts";

const { tensors } = readSafetensors(readFileSync(new URL("../../../../fixtures/losses.safetensors", import.meta.url)));
const cases = ["det_basic", "det_empty", "det_dense", "det_small", "det_whole", "det_nc1"];
const read = (name: string): Float32Array => tensors.get(name)!.toTypedArray() as Float32Array;

const expectClose = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void => {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++)
    if (!(Math.abs(actual[i]! - expected[i]!) <= tolerance))
      throw new Error(`element ${i}: expected ${expected[i]}, got ${actual[i]} (tolerance ${tolerance})`);
};

describe.each(cases)("the assigner on %s", (name) => {
  const inputs = {
    scores: read(`${name}.assigner.in.pd_scores`),
    boxes: read(`${name}.assigner.in.pd_bboxes`),
    points: read(`${name}.assigner.in.anc_points`),
    targetClasses: read(`${name}.assigner.in.gt_labels`),
    targetBoxes: read(`${name}.assigner.in.gt_bboxes`),
  };
  const [batch, anchors, nc] = tensors.get(`${name}.assigner.in.pd_scores`)!.shape as [number, number, number];
  const sizes: AssignerSizes = { batch, anchors, nc, targets: tensors.get(`${name}.assigner.in.gt_labels`)!.shape[1]! };
  /** The reference computed in float32: some 30 operations on numbers up to 1, the sixth power among them. */
  const tolerance = 30 * 2 ** -24;

  it("chooses the same targets, boxes, classes and foreground", () => {
    const result = assignTargets(inputs, sizes);
    expect([...result.foreground]).toEqual([...read(`${name}.assigner.out.fg_mask`)]);
    expect([...result.targetIndex]).toEqual([...read(`${name}.assigner.out.target_gt_idx`)]);
    expect(result.classes).toEqual(read(`${name}.assigner.out.target_labels`));
    expect(result.boxes).toEqual(read(`${name}.assigner.out.target_bboxes`));
    const scores = new Float32Array(batch * anchors * nc);
    for (const [at, score] of result.scores.entries()) if (score > 0) scores[at * nc + result.classes[at]!] = score;
    expectClose(scores, read(`${name}.assigner.out.target_scores`), tolerance);
  });

  it("measures the same alignment and overlap", () => {
    const { targets } = sizes;
    if (targets === 0) return; // det_empty: nothing to measure, the reference stores no table
    for (let b = 0; b < batch; b++) {
      const part = (x: Float32Array, n: number): Float32Array => x.subarray(b * n, (b + 1) * n);
      const image = {
        scores: part(inputs.scores, anchors * nc),
        boxes: part(inputs.boxes, anchors * 4),
        points: inputs.points,
        targetClasses: part(inputs.targetClasses, targets),
        targetBoxes: part(inputs.targetBoxes, targets * 4),
      };
      const n = targets * anchors;
      const into = { metric: new Float64Array(n), overlap: new Float64Array(n) };
      measureAlignment(image, sizes, into);
      expectClose(into.metric, part(read(`${name}.assigner.align_metric`), n), tolerance);
      expectClose(into.overlap, part(read(`${name}.assigner.overlaps`), n), tolerance);
    }
  });
});

describe("the assigner", () => {
  /** Four anchors in a row, each predicting its own 10 x 10 cell; one class with probability 1. */
  const row = {
    scores: Float64Array.of(1, 1, 1, 1),
    boxes: Float64Array.of(...[0, 0, 10, 10], ...[10, 0, 20, 10], ...[20, 0, 30, 10], ...[30, 0, 40, 10]),
    points: Float64Array.of(5, 5, 15, 5, 25, 5, 35, 5),
  };
  const sizes: AssignerSizes = { batch: 1, anchors: 4, nc: 1, targets: 2 };

  it("leaves empty places alone", () => {
    const empty = { ...row, targetClasses: new Float64Array(2), targetBoxes: new Float64Array(8) };
    expect([...assignTargets(empty, sizes).foreground]).toEqual([0, 0, 0, 0]);
  });

  it("gives an anchor that two targets claim to the one it overlaps most", () => {
    const targetBoxes = Float64Array.of(...[0, 0, 20, 10], ...[10, 0, 21, 10]);
    const result = assignTargets({ ...row, targetClasses: new Float64Array(2), targetBoxes }, sizes);
    expect([...result.foreground]).toEqual([1, 1, 0, 0]);
    expect([...result.targetIndex]).toEqual([0, 1, 0, 0]);
  });

  it("takes no more than topK anchors of a target", () => {
    const targetBoxes = Float64Array.of(...[0, 0, 33, 10], ...[0, 0, 0, 0]);
    const result = assignTargets({ ...row, targetClasses: new Float64Array(2), targetBoxes }, sizes, { topK: 1 });
    expect([...result.foreground]).toEqual([0, 1, 0, 0]);
  });

  it("scales the class target so that the best anchor of a target gets its best overlap", () => {
    const targetBoxes = Float64Array.of(...[0, 0, 20, 10], ...[0, 0, 0, 0]);
    const { scores } = assignTargets({ ...row, targetClasses: new Float64Array(2), targetBoxes }, sizes);
    // Each half lies in the target with IoU 1/2; the complete IoU is lower by the distance and the aspect ratio.
    expect(scores[0]).toBeGreaterThan(0.3);
    expect(scores[0]).toBeLessThan(0.5);
    expect(scores[1]).toBeCloseTo(scores[0]!, 6);
    expect([scores[2], scores[3]]).toEqual([0, 0]);
  });
});
