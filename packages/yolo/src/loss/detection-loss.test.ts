// The detection loss against reference items and gradients, compiled, in both precisions, and gradient-checked.
import { readFileSync } from "node:fs";
import { grad, gradcheck, readSafetensors, valueAndGrad } from "@orepa/autograd";
import {
  add,
  atan,
  cast,
  compile,
  type Dtype,
  detach,
  div,
  fromData,
  full,
  mul,
  reshape,
  split,
  square,
  sub,
  sum,
  type Tensor,
  zeros,
} from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { runOnWasm } from "../../../autograd/src/testing/wasm-devices.cases.ts";
import { ciou, diou, iou } from "./boxes.ts";
import { assign, assignedLoss, detectionLoss, readPredictions } from "./detection-loss.ts";

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
  const [index, cls, boxes] = ["batch_idx", "cls", "bboxes"].map((what) =>
    tensors.get(`${name}.batch.${what}`)!.toTypedArray(),
  );
  const rows = Array.from({ length: batch }, (): number[][] => []);
  index!.forEach((b, i) => {
    rows[b]!.push([cls![i]!, ...boxes!.subarray(4 * i, 4 * i + 4)]);
  });
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

/** Value, items and gradients for the maps: a function of targets and maps. */
const differentiated =
  (options: Parameters<typeof detectionLoss>[2]) =>
  (...inputs: Tensor[]): Record<string, Tensor> => {
    const [targets, ...maps] = inputs as [Tensor, ...Tensor[]];
    let items: Tensor | undefined;
    const { value, grads } = valueAndGrad(() => {
      const loss = detectionLoss(maps, targets, options);
      items = loss.items;
      return loss.total;
    }, maps);
    const gradients = maps.map((map, level) => [`grad.feat.${level}`, grads.get(map)!] as const);
    return { value, loss_items: items!, ...Object.fromEntries(gradients) };
  };

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

  const allowed = (key: string): number => {
    const [spread, size] = deviation[key]!;
    return 10 * spread + 1e-6 * size;
  };
  const expectRounded = (found: (key: string) => Tensor): void => {
    expectClose(found("loss_items").toTypedArray(), expectedItems, allowed("loss_items"));
    for (const key of [0, 1, 2].map((level) => `grad.feat.${level}`))
      expectClose(found(key).toTypedArray(), tensors.get(`${name}.${key}`)!.toTypedArray(), allowed(key));
  };

  it("stays as close in float32 as the reference does", () => {
    const { maps, targets, options } = setUp(name, "float32");
    const found = differentiated(options)(targets, ...maps);
    expectRounded((key) => found[key]!);
  });

  it("stays as close on wasm", async () => {
    const { maps, targets, options } = setUp(name, "float32");
    const found = await runOnWasm(() => ({ inputs: [targets, ...maps], run: differentiated(options) }));
    expectRounded((key) => found.get(key)!);
  });
});

describe("the detection loss", () => {
  it("has no box and distribution loss without targets", () => {
    const { maps, targets, options } = setUp("det_empty", "float32");
    const items = detectionLoss(maps, targets, options).items.toTypedArray();
    expect([items[0], items[2]]).toEqual([0, 0]);
  });

  it("is the same whether targets have empty places or none at all", () => {
    const { maps, options } = setUp("det_empty", "float32");
    const none = detectionLoss(maps, zeros([2, 0, 5]), options).items.toTypedArray();
    expect(none).toEqual(detectionLoss(maps, zeros([2, 3, 5]), options).items.toTypedArray());
  });

  it("says which shape or class it did not expect", () => {
    const { maps, targets, options } = setUp("det_basic", "float32");
    expect(() => detectionLoss(maps.slice(1), targets, options)).toThrow(/one map for each of 3 strides/);
    expect(() => detectionLoss(maps, targets, { ...options, nc: 5 })).toThrow(/maps \[B, 69, h, w\]/);
    expect(() => detectionLoss(maps, zeros([2, 1, 5]), options)).toThrow(/targets \[3, M, 5\]/);
    expect(() => detectionLoss(maps, full([3, 1, 5], 4), options)).toThrow(/classes 0 to 3, got 4/);
  });

  it.each(["float32", "float64"] as const)("is the same in a compiled program, %s", async (dtype) => {
    const { maps, targets, options } = setUp("det_basic", dtype);
    const step = differentiated(options);
    const eager = step(targets, ...maps);
    const compiled = await compile(step)(targets, ...maps);
    // Passes may reorder a sum: 60,000 terms.
    const rounding = dtype === "float32" ? 1e-6 : 1e-14;
    for (const [name, expected] of Object.entries(eager)) {
      const data = expected.toTypedArray();
      expectClose(compiled[name]!.toTypedArray(), data, rounding * Math.max(...data.map(Math.abs)));
    }
  });

  it("passes the gradient check for given targets of every anchor (class and distribution)", () => {
    const { maps, targets, options } = setUp("det_small", "float64");
    const assigned = assign(readPredictions(maps, options), targets, options);
    const gains = { box: 0, cls: 0.5, dfl: 1.5 };
    const loss = (...m: Tensor[]): Tensor =>
      assignedLoss(readPredictions(m, options), assigned, { ...options, gains }).total;
    gradcheck(loss, maps);
  });

  it("passes the gradient check of its box part with the weight of the aspect ratio held fast", () => {
    const { maps, targets, options } = setUp("det_small", "float64");
    const assigned = assign(readPredictions(maps, options), targets, options);
    const weight = sum(assigned.scores, 2);
    const overlap = (m: readonly Tensor[]): Tensor =>
      sum(mul(ciou(readPredictions(m, options).boxes, assigned.boxes), weight));
    // CIoU = DIoU - alpha v with alpha a number: what the gradient of ciou is the gradient of.
    const alpha = aspect(readPredictions(maps, options).boxes, assigned.boxes).alpha;
    const held = (...m: Tensor[]): Tensor => {
      const { boxes } = readPredictions(m, options);
      const value = sub(diou(boxes, assigned.boxes), mul(alpha, aspect(boxes, assigned.boxes).v));
      return sum(mul(value, weight));
    };
    gradcheck(held, maps);
    const actual = grad(() => overlap(maps), maps);
    const expected = grad(() => held(...maps), maps);
    for (const map of maps) expectClose(actual.get(map)!.toTypedArray(), expected.get(map)!.toTypedArray(), 1e-14);
  });
});

/** v and alpha of the complete IoU (Zheng et al. 2020, eq. 9 and 11) of corners in any unit. */
function aspect(a: Tensor, b: Tensor): { v: Tensor; alpha: Tensor } {
  const angle = (boxes: Tensor): Tensor => {
    const [x1, y1, x2, y2] = split(boxes, 1, -1) as [Tensor, Tensor, Tensor, Tensor];
    return atan(div(sub(x2, x1), add(sub(y2, y1), 1e-7)));
  };
  const v = mul(square(sub(angle(b), angle(a))), 4 / Math.PI ** 2);
  const flat = reshape(v, v.shape.slice(0, -1));
  return { v: flat, alpha: detach(div(flat, add(sub(flat, iou(a, b)), 1 + 1e-7))) };
}
