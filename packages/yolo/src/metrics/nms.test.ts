// Suppression against reference results, and its limits on dense predictions.
import { readFileSync } from "node:fs";
import { readSafetensors } from "@orepa/autograd";
import { describe, expect, it } from "vitest";
import { nonMaxSuppression } from "./nms.ts";
import { descendingOrder } from "./order.ts";

const fixture = (name: string): Uint8Array => readFileSync(new URL(`../../../../fixtures/${name}`, import.meta.url));
const { tensors } = readSafetensors(fixture("postprocess.safetensors"));
const cases = JSON.parse(new TextDecoder().decode(fixture("postprocess.json"))) as Record<
  string,
  { args: NmsCase; pred: string }
>;

interface NmsCase {
  readonly conf_thres: number;
  readonly iou_thres: number;
  readonly nc?: number;
  readonly max_det?: number;
  readonly max_nms?: number;
  readonly agnostic?: boolean;
  readonly multi_label?: boolean;
  readonly classes?: number[];
}

const plain = [
  "default_predict",
  "val",
  "iou45",
  "agnostic",
  "multi_agnostic",
  "max_det",
  "classes",
  "max_nms",
  "high_conf_empty",
  "single_class",
  "single_class_multi",
  "masks",
];

describe("nonMaxSuppression", () => {
  it.each(plain)("keeps what the reference keeps, in its order: %s", (name) => {
    const { args, pred } = cases[name]!;
    const prediction = tensors.get(pred)!;
    const [batch, channels, anchors] = prediction.shape as [number, number, number];
    const images = nonMaxSuppression(prediction.toTypedArray() as Float32Array, [batch, channels, anchors], {
      nc: args.nc ?? channels - 4,
      conf: args.conf_thres,
      iou: args.iou_thres,
      ...(args.max_det && { maxDet: args.max_det }),
      ...(args.max_nms && { maxNms: args.max_nms }),
      ...(args.agnostic && { agnostic: true }),
      ...(args.multi_label && { multiLabel: true }),
      ...(args.classes && { classes: args.classes }),
    });
    images.forEach((kept, i) => {
      const expected = tensors.get(`nms.${name}.out.${i}`)!;
      expect([kept.count, kept.width]).toEqual(expected.shape);
      expect(kept.data).toEqual(expected.toTypedArray());
    });
    expect(images).toHaveLength(batch);
  });

  it("ignores what lies at the thresholds exactly", () => {
    // Two anchors: equal boxes but for a shift that gives IoU 0.5, one class, confidences 0.5 and 0.25.
    const output = Float32Array.of(5, 5 + 10 / 3, 5, 5, 10, 10, 10, 10, 0.5, 0.25);
    const run = (conf: number): number => nonMaxSuppression(output, [1, 5, 2], { nc: 1, conf, iou: 0.51 })[0]!.count;
    expect(run(0.24)).toBe(2);
    expect(run(0.25)).toBe(1);
    expect(run(0.5)).toBe(0);
  });

  it("keeps at most maxDet of 8400 anchors x 80 classes", () => {
    const anchors = 8400;
    const output = new Float32Array(84 * anchors);
    let seed = 1;
    const draw = (): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed / 2 ** 32;
    };
    for (let i = 0; i < output.length; i++) output[i] = draw() * (i < 4 * anchors ? 640 : 0.01);
    const [kept] = nonMaxSuppression(output, [1, 84, anchors], { nc: 80, conf: 0.001, iou: 0.7, multiLabel: true });
    expect(kept!.count).toBe(300);
    for (let i = 1; i < 300; i++) expect(kept!.data[6 * i + 4]!).toBeLessThanOrEqual(kept!.data[6 * i - 2]!);
  });
});

describe("descendingOrder", () => {
  it("sorts from large to small and keeps the order of equal values", () => {
    expect([...descendingOrder(Float32Array.of(0.5, 0, 1e-30, 2, 0.5, 1))]).toEqual([3, 5, 0, 4, 2, 1]);
  });

  it("gives the first of the same order under a limit", () => {
    const values = Float32Array.from({ length: 5000 }, (_, i) => ((i * 7919) % 1009) / 1009);
    const all = descendingOrder(values);
    for (const limit of [0, 1, 17, 2500, 5000, 6000])
      expect(descendingOrder(values, limit)).toEqual(all.slice(0, limit));
  });

  it("agrees with a comparator above the size that fits the packed keys", () => {
    const values = new Float32Array(2 ** 22 + 1).fill(0.5);
    values[2 ** 22] = 0.75;
    values[7] = 0.25;
    const order = descendingOrder(values);
    expect([order[0], order[1], order[order.length - 1]]).toEqual([2 ** 22, 0, 7]);
  });
});
