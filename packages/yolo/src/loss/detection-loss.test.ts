// The detection loss against reference items and gradients, compiled, in both precisions, and gradient-checked.
import { readFileSync } from "node:fs";
import { gradcheck, readSafetensors, valueAndGrad } from "@orepa/autograd";
import { cast, type Dtype, fromData, mul, randn, Generator, type Tensor } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { detectionLoss } from "./detection-loss.ts";

const fixture = (name: string): Uint8Array => readFileSync(new URL(`../../../../fixtures/${name}`, import.meta.url));
const { tensors } = readSafetensors(fixture("losses.safetensors"));
const facts = JSON.parse(new TextDecoder().decode(fixture("losses.json"))) as Record<string, LossCase>;
interface LossCase {
  readonly nc: number;
  readonly strides: number[];
  readonly loss_items_float64: number[];
  readonly float32_deviation: Record<string, [deviation: number, size: number]>;
}
const cases = ["det_basic", "det_empty", "det_dense", "det_small", "det_whole", "det_nc1"];

/** Targets of a case as (B, M, 5), M at least 1. */
function paddedTargets(name: string, batch: number): Tensor {
  const [index, cls, boxes] = ["batch_idx", "cls", "bboxes"].map((what) => tensors.get(`${name}.batch.${what}`)!.toTypedArray());
  const rows = Array.from({ length: batch }, (): number[][] => []);
  index!.forEach((b, i) => rows[b]!.push([cls![i]!, ...boxes!.subarray(4 * i, 4 * i + 4)]));
  const places = Math.max(1, ...rows.map((r) => r.length));
  const data = new Float32Array(batch * places * 5);
  rows.forEach((r, b) => {
    data.set(r.flat(), b * places * 5);
  });
  return fromData(data, [batch, places, 5]);
}

function setUp(name: string, dtype: Dtype) {
  const maps = [0, 1, 2].map((level) => cast(tensors.get(`${name}.pred.feat.${level}`)!, dtype));
  const { nc, strides } = facts[name]!;
  return { maps, targets: paddedTargets(name, maps[0]!.shape[0]!), options: { nc, strides } };
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++)
    if (!(Math.abs(actual[i]! - expected[i]!) <= tolerance))
      throw new Error(`element ${i}: expected ${expected[i]}, got ${actual[i]} (tolerance ${tolerance})`);
}

describe.each(cases)("the detection loss on %s", (name) => {
  const { loss_items_float64: expectedItems, float32_deviation: deviation } = facts[name]!;

  it("has the reference's float64 items and gradients", () => {
    const { maps, targets, options } = setUp(name, "float64");
    let items: Tensor | undefined;
    const { value, grads } = valueAndGrad(() => {
      const loss = detectionLoss(maps, targets, options);
      items = loss.items;
      return loss.total;
    }, maps);
    // Sums of up to 60,000 doubles.
    for (const [i, expected] of expectedItems.entries())
      expectClose([items!.toTypedArray()[i]!], [expected], 1e-12 * Math.max(1, expected));
    const total = expectedItems.reduce((x, y) => x + y) * maps[0]!.shape[0]!;
    expectClose([value.item()], [total], 1e-12 * total);
    maps.forEach((map, level) => {
      const expected = tensors.get(`${name}.grad.feat.${level}`)!.toTypedArray();
      // Stored as float32: half a unit in the last place.
      expectClose(grads.get(map)!.toTypedArray(), expected, 2 ** -24 * Math.max(...expected.map(Math.abs)));
    });
  });

  it("stays as close in float32 as the reference does", () => {
    const { maps, targets, options } = setUp(name, "float32");
    let items: Tensor | undefined;
    const { grads } = valueAndGrad(() => {
      const loss = detectionLoss(maps, targets, options);
      items = loss.items;
      return loss.total;
    }, maps);
    const allowed = ([spread, size]: readonly [number, number]): number => 10 * spread + 1e-6 * size;
    expectClose(items!.toTypedArray(), expectedItems, allowed(deviation["loss_items"]!));
    maps.forEach((map, level) => {
      const key = `grad.feat.${level}`;
      expectClose(grads.get(map)!.toTypedArray(), tensors.get(`${name}.${key}`)!.toTypedArray(), allowed(deviation[key]!));
    });
  });
});

describe("the detection loss", () => {
  it("has no box and distribution loss without targets", () => {
    const { maps, targets, options } = setUp("det_empty", "float32");
    const items = detectionLoss(maps, targets, options).items.toTypedArray();
    expect([items[0], items[2]]).toEqual([0, 0]);
  });
});
