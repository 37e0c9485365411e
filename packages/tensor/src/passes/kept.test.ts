// What is kept for the backward pass of small programs whose answer is plain to see.
import { expect, it } from "vitest";
import { trace } from "../compile.ts";
import { ones, zeros } from "../creation.ts";
import { conv2d } from "../ops/linear.ts";
import { add, exp, mul, sigmoid } from "../ops/pointwise.ts";
import { sum } from "../ops/reduce.ts";
import { reshape } from "../ops/shape.ts";
import type { Tensor } from "../tensor.ts";
import { Variable } from "../variable.ts";
import { keptBytes } from "./kept.ts";

const x = ones([2, 4, 8, 8]);
const map = 2 * 4 * 8 * 8 * 4;
const kernel = new Variable(ones([4, 4, 1, 1]));
/** Runs `forward`, then something that reads `later`. */
const kept = (forward: (x: Tensor) => { loss: Tensor; later: readonly Tensor[] }): number => {
  const result = new Variable(zeros([]));
  const { program } = trace(
    (input: Tensor) => {
      const { loss, later } = forward(input);
      result.assign(later.map((t) => sum(mul(t, loss))).reduce(add));
      return loss;
    },
    [x],
  );
  return keptBytes(program);
};

it("counts an input and a convolution's result that are read after the loss, once each", () => {
  const y = (input: Tensor) => conv2d(input, kernel.value);
  expect(kept((input) => ({ loss: sum(y(input)), later: [input] }))).toBe(map + 4);
  const both = (input: Tensor) => {
    const out = y(input);
    return { loss: sum(out), later: [input, out, reshape(out, [8, 64])] };
  };
  expect(kept(both)).toBe(2 * map + 4);
});

it("does not count what is computed again from something kept, nor what nobody reads", () => {
  const out = (input: Tensor) => conv2d(input, kernel.value);
  expect(
    kept((input) => {
      const y = out(input);
      const z = mul(y, sigmoid(y));
      return { loss: sum(exp(z)), later: [add(y, z)] };
    }),
  ).toBe(map + 4);
});
