// Batch norm's statistics against sums written out, its two modes, and its folding into a convolution.
import { add, Generator, rand, reshape, type Tensor, tensor } from "@orepa/tensor";
import { expect, test } from "vitest";
import { BatchNorm2d } from "./batch-norm.ts";
import { Conv2d } from "./conv.ts";
import { foldBatchNorm } from "./mergeable.ts";
import { initialize, namedVariables, toDtype } from "./module.ts";

const values = [1, 2, 4, 9];
const x = () => reshape(tensor(values, { dtype: "float64" }), [2, 1, 1, 2]);
const mean = 4;
const squares = values.reduce((total, v) => total + (v - mean) ** 2, 0);

test("train mode normalises by the biased variance and tracks the unbiased one", () => {
  const bn = toDtype(new BatchNorm2d(1, { eps: 1e-3, momentum: 0.03 }), "float64");
  const y = bn.forward(x(), "train").toTypedArray();
  const deviation = Math.sqrt(squares / 4 + 1e-3);
  for (const [i, v] of values.entries()) expect(y[i]).toBeCloseTo((v - mean) / deviation, 12);
  expect(bn.running_mean.value.item()).toBeCloseTo(0.03 * mean, 12);
  expect(bn.running_var.value.item()).toBeCloseTo(0.97 + (0.03 * squares) / 3, 12);
  expect(bn.num_batches_tracked.value.item()).toBe(1);
  bn.forward(x(), "train");
  expect(bn.running_mean.value.item()).toBeCloseTo(0.97 * 0.03 * mean + 0.03 * mean, 12);
  expect(bn.num_batches_tracked.value.item()).toBe(2);
});

test("eval mode uses the running statistics and leaves them alone", () => {
  const bn = generic(new BatchNorm2d(1));
  const before = [...namedVariables(bn).values()].map(({ value }) => value.item());
  const [weight, bias, m, v] = before as [number, number, number, number];
  const y = bn.forward(x(), "eval").toTypedArray();
  for (const [i, value] of values.entries())
    expect(y[i]).toBeCloseTo(((value - m) / Math.sqrt(v + 1e-3)) * weight + bias, 12);
  expect([...namedVariables(bn).values()].map(({ value }) => value.item())).toEqual(before);
});

test("one value per channel has no variance: train mode refuses it, eval mode takes it", () => {
  const bn = new BatchNorm2d(3);
  const pixel = rand([1, 3, 1, 1], { generator: new Generator(0) });
  expect(() => bn.forward(pixel, "train")).toThrow(
    "BatchNorm2d: expected more than one value per channel in train mode",
  );
  expect(bn.forward(pixel, "eval").shape).toEqual([1, 3, 1, 1]);
});

test("another number of channels is refused", () => {
  expect(() => new BatchNorm2d(3).forward(rand([1, 2, 2, 2], { generator: new Generator(0) }), "eval")).toThrow(
    "BatchNorm2d: expected [N, 3, H, W], got [1, 2, 2, 2]",
  );
});

test.each([true, false])("a folded norm gives the convolution and norm in eval mode (bias %s)", (bias) => {
  const conv = generic(new Conv2d(4, 6, 3, { groups: 2, padding: 1, bias }));
  const bn = generic(new BatchNorm2d(6));
  const input = rand([2, 4, 5, 5], { generator: new Generator(1), dtype: "float64" });
  const folded = foldBatchNorm(conv.weight.value, conv.bias?.value, bn);
  expect([folded.weight.dtype, folded.bias.dtype]).toEqual(["float64", "float64"]);
  const plain = toDtype(new Conv2d(4, 6, 3, { groups: 2, padding: 1 }), "float64");
  plain.weight.assign(folded.weight);
  plain.bias!.assign(folded.bias);
  expectClose(plain.forward(input), bn.forward(conv.forward(input), "eval"), 1e-13);
});

/** Float64 with drawn values, moved so that no statistic keeps its neutral value. */
function generic<M extends object>(module: M): M {
  initialize(toDtype(module, "float64"), 2);
  let i = 0;
  for (const variable of namedVariables(module).values())
    if (variable.dtype === "float64") variable.assign(add(variable.value, 0.2 * ++i));
  return module;
}

function expectClose(a: Tensor, b: Tensor, tolerance: number): void {
  const [p, q] = [a.toTypedArray(), b.toTypedArray()];
  expect(a.shape).toEqual(b.shape);
  for (const [i, v] of p.entries()) expect(Math.abs(v - q[i]!)).toBeLessThan(tolerance * (1 + Math.abs(v)));
}
