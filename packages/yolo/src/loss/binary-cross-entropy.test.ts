// Binary cross entropy: values against plain arithmetic, accuracy in float32, gradients.
import { grad, gradcheck } from "@orepa/autograd";
import { sum, tensor } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { binaryCrossEntropy } from "./binary-cross-entropy.ts";

const logits = [-200, -30, -11.5, -3, -1e-3, 0, 0.5, 4, 11.5, 30, 200];
const targets = [0, 0.25, 0, 1, 0.5, 0.5, 0, 0.75, 1, 1, 0];
const exact = logits.map((x, i) => Math.max(x, 0) - x * targets[i]! + Math.log1p(Math.exp(-Math.abs(x))));

describe("binaryCrossEntropy", () => {
  it.each(["float32", "float64"] as const)("keeps its digits for confident logits in %s", (dtype) => {
    const value = binaryCrossEntropy(tensor(logits, { dtype }), tensor(targets, { dtype })).toTypedArray();
    const rounding = dtype === "float32" ? 2 ** -24 : 2 ** -53;
    const smallest = dtype === "float32" ? 2 ** -149 : Number.MIN_VALUE;
    exact.forEach((y, i) => {
      // Five operations; exp(-|x|) carries the rounding of its argument.
      expect(Math.abs(value[i]! - y)).toBeLessThanOrEqual((5 + Math.abs(logits[i]!)) * rounding * y + smallest);
    });
  });

  it("has the gradient sigmoid(x) - t, at 0 too", () => {
    const x = tensor(logits, { dtype: "float64" });
    const g = grad(() => sum(binaryCrossEntropy(x, tensor(targets, { dtype: "float64" }))), [x])
      .get(x)!
      .toTypedArray();
    logits.forEach((v, i) => {
      expect(g[i]).toBeCloseTo(1 / (1 + Math.exp(-v)) - targets[i]!, 15);
    });
  });

  it.each([1, 2] as const)("passes the gradient check of order %i", (order) => {
    const x = tensor([-4, -0.5, 0.3, 2], { dtype: "float64" });
    gradcheck((a, b) => sum(binaryCrossEntropy(a, b)), [x, tensor([0.1, 0.9, 0.5, 0], { dtype: "float64" })], {
      order,
    });
  });
});
