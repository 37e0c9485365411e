// The box functions against reference values and gradients, and gradient-checked.
import { readFileSync } from "node:fs";
import { grad, gradcheck, readSafetensors, valueAndGrad } from "@orepa/autograd";
import { cast, slice, sum, type Tensor, tensor } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { runOnWasm, toSingle } from "../../../autograd/src/testing/wasm-devices.cases.ts";
import { boxIouMatrix } from "../metrics/box-iou.ts";
import { anchorPoints, boxToDistance, ciou, diou, distanceToBox, giou, iou, xywhToXyxy, xyxyToXywh } from "./boxes.ts";

const { tensors } = readSafetensors(readFileSync(new URL("../../../../fixtures/boxes.safetensors", import.meta.url)));
const read = (name: string): Tensor => cast(tensors.get(name)!, "float64");
const a = read("boxes1_xyxy");
const b = read("boxes2_xyxy");
const overlaps = { iou, giou, diou, ciou };

/** The reference ran in float32: some 20 operations, relative to values or gradients of this size. */
const float32 = (size: number): number => 20 * 2 ** -24 * Math.max(size, 1);

/** Compares where the reference is finite; returns how many elements that were. */
function expectClose(actual: Tensor, expected: Tensor, tolerance = float32): number {
  expect(actual.shape).toEqual(expected.shape);
  const x = actual.toTypedArray();
  let compared = 0;
  expected.toTypedArray().forEach((y, i) => {
    if (!Number.isFinite(y)) return;
    compared++;
    if (!(Math.abs(x[i]! - y) <= tolerance(Math.abs(y))))
      throw new Error(`element ${i}: expected ${y}, got ${x[i]} (tolerance ${tolerance(Math.abs(y))})`);
  });
  return compared;
}

describe.each(["iou", "giou", "diou", "ciou"] as const)("%s", (kind) => {
  const f = overlaps[kind];

  it("has the reference's values for corners", () => {
    expect(expectClose(f(a, b), read(kind))).toBeGreaterThanOrEqual(39);
  });

  it("has the reference's values for centres and sizes", () => {
    const value = f(xyxyToXywh(a), xyxyToXywh(b), { format: "xywh" });
    expect(expectClose(value, read(`${kind}.from_xywh`))).toBeGreaterThanOrEqual(30);
  });

  it("has the reference's gradients", () => {
    const grads = grad(() => sum(f(a, b)), [a, b]);
    expectClose(grads.get(a)!, read(`${kind}.grad1`));
    expectClose(grads.get(b)!, read(`${kind}.grad2`));
  });

  it("has them on wasm", async () => {
    const found = await runOnWasm(() => ({
      inputs: [toSingle(a), toSingle(b)],
      run: (x, y) => {
        const { value, grads } = valueAndGrad(() => sum(f(x!, y!)), [x!, y!]);
        const centres = f(xyxyToXywh(x!), xyxyToXywh(y!), { format: "xywh" });
        return { sum: value, value: f(x!, y!), centres, one: grads.get(x!)!, two: grads.get(y!)! };
      },
    }));
    // Both sides are rounded.
    const tolerance = (size: number) => 2 * float32(size);
    expect(expectClose(found.get("value")!, read(kind), tolerance)).toBeGreaterThanOrEqual(39);
    expectClose(found.get("centres")!, read(`${kind}.from_xywh`), tolerance);
    expectClose(found.get("one")!, read(`${kind}.grad1`), tolerance);
    expectClose(found.get("two")!, read(`${kind}.grad2`), tolerance);
  });
});

describe("box functions", () => {
  it("have the gradients that differences say", () => {
    const one = tensor([[0, 0, 4, 3]], { dtype: "float64" });
    const two = tensor([[1, 0.5, 5, 4.5]], { dtype: "float64" });
    // ciou is not among them: its alpha counts as constant, so its gradient is not that of its value (see detection-loss.test.ts).
    for (const f of [iou, giou, diou]) gradcheck((x, y) => sum(f(x, y)), [one, two]);
    const points = tensor([[2, 2]], { dtype: "float64" });
    gradcheck((x) => sum(iou(distanceToBox(x, points), two)), [tensor([[1, 0.6, 1.1, 1.2]], { dtype: "float64" })]);
    gradcheck((x) => sum(iou(xywhToXyxy(xyxyToXywh(x)), two)), [one]);
  });

  it("make the reference's boxes from distances and back", () => {
    const points = slice(read("anchor_points"), 0, 0, 6);
    expectClose(distanceToBox(read("dist"), points), read("dist2bbox_xyxy"));
    expectClose(distanceToBox(read("dist"), points, { format: "xywh" }), read("dist2bbox_xywh"));
    expectClose(boxToDistance(points, read("dist2bbox_xyxy"), 15), read("bbox2dist"));
  });

  it("make them on wasm", async () => {
    const inputs = [slice(read("anchor_points"), 0, 0, 6), read("dist"), read("dist2bbox_xyxy")].map(toSingle);
    const found = await runOnWasm(() => ({
      inputs,
      run: (points, distances, boxes) => ({
        dist2bbox_xyxy: distanceToBox(distances!, points!),
        dist2bbox_xywh: distanceToBox(distances!, points!, { format: "xywh" }),
        bbox2dist: boxToDistance(points!, boxes!, 15),
      }),
    }));
    for (const [key, value] of found) expectClose(value, read(key));
  });

  it("make the reference's anchor points", () => {
    const maps = [
      { height: 16, width: 12 },
      { height: 8, width: 6 },
      { height: 4, width: 3 },
    ];
    const { points, strides } = anchorPoints(maps, [8, 16, 32]);
    expectClose(points, tensors.get("anchor_points")!, () => 0);
    expectClose(strides, tensors.get("stride_tensor")!, () => 0);
  });

  it("give the reference's matrix of plain overlaps", () => {
    const rows = (name: string, n: number): Float64Array =>
      read(name)
        .toTypedArray()
        .slice(0, 4 * n) as Float64Array;
    const matrix = boxIouMatrix(rows("boxes1_xyxy", 8), rows("boxes2_xyxy", 10));
    expectClose(tensor(matrix, { shape: [8, 10] }), tensors.get("box_iou_matrix")!);
  });
});
