// Binary cross entropy: values against plain arithmetic, accuracy in float32, gradients.
import { grad, gradcheck, valueAndGrad } from "@orepa/autograd";
import { sum, type Tensor, tensor } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { runOnWasm } from "../../../autograd/src/testing/wasm-devices.cases.ts";
import { binaryCrossEntropy } from "./binary-cross-entropy.ts";

const logits = [-200, -30, -11.5, -3, -1e-3, 0, 0.5, 4, 11.5, 30, 200];
const targets = [0, 0.25, 0, 1, 0.5, 0.5, 0, 0.75, 1, 1, 0];
const exact = logits.map((x, i) => Math.max(x, 0) - x * targets[i]! + Math.log1p(Math.exp(-Math.abs(x))));

describe("binaryCrossEntropy", () => {
  /** Five operations; exp(-|x|) carries the rounding of its argument. */
  const expectDigits = (value: Tensor, operations = 5): void => {
    const [rounding, smallest] = value.dtype === "float32" ? [2 ** -24, 2 ** -149] : [2 ** -53, Number.MIN_VALUE];
    const found = value.toTypedArray();
    exact.forEach((y, i) => {
      const tolerance = (operations + Math.abs(logits[i]!)) * rounding * y + smallest;
      expect(Math.abs(found[i]! - y), `for ${logits[i]}`).toBeLessThanOrEqual(tolerance);
    });
  };

  it.each(["float32", "float64"] as const)("keeps its digits for confident logits in %s", (dtype) => {
    expectDigits(binaryCrossEntropy(tensor(logits, { dtype }), tensor(targets, { dtype })));
  });

  it("keeps them on wasm, and has its gradient", async () => {
    const found = await runOnWasm(() => ({
      inputs: [tensor(logits), tensor(targets)],
      run: (x, t) => {
        const { grads } = valueAndGrad(() => sum(binaryCrossEntropy(x!, t!)), [x!]);
        return { value: binaryCrossEntropy(x!, t!), gradient: grads.get(x!)! };
      },
    }));
    expectDigits(found.get("value")!);
    const gradient = found.get("gradient")!.toTypedArray();
    logits.forEach((v, i) => {
      expect(gradient[i], `for ${v}`).toBeCloseTo(1 / (1 + Math.exp(-v)) - targets[i]!, 6);
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
