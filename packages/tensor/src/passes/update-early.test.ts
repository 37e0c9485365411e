// Early updates: programs before and after.
import { expect, test } from "vitest";
import { trace } from "../compile.ts";
import { add, exp, full, matmul, mul, sub, sum, type Tensor, Variable } from "../index.ts";
import { printProgram } from "./print.ts";
import { updateEarly } from "./update-early.ts";

const x = full([2, 2], 1);
const lines = (fn: (a: Tensor) => Record<string, Tensor>): string[] =>
  printProgram(updateEarly(trace(fn, [x]).program))
    .split("\n")
    .map((line) => line.replace(/%\d+\[[^=]*= (\w+).*/, "$1"));

test("an update moves behind its gradient, and what is made of given values to its reader", () => {
  const w = new Variable(full([2, 2], 1));
  const average = new Variable(full([2, 2], 1));
  const names = lines((a) => {
    const decayed = mul(average.value, 0.9);
    const y = exp(a);
    const rest = sum(y);
    const gradient = matmul(y, w.value);
    w.assign(sub(w.value, gradient));
    average.assign(add(decayed, w.value));
    return { rest };
  });
  expect(names.slice(0, 7)).toEqual(["exp", "matmul", "sub", "mul", "add", "sum", "reshape"]);
});

test("an update waits until others have read the old value", () => {
  const w = new Variable(full([2, 2], 1));
  const names = lines((a) => {
    const gradient = exp(a);
    const y = matmul(a, w.value);
    w.assign(sub(w.value, gradient));
    return { y, gradient, z: exp(y) };
  });
  expect(names.slice(0, 4)).toEqual(["exp", "matmul", "sub", "exp"]);
});

test("updates that wait for one value follow it weight by weight", () => {
  const weights = [0, 1].map(() => new Variable(full([2, 2], 1)));
  const averages = [0, 1].map(() => new Variable(full([2, 2], 1)));
  const names = lines((a) => {
    const norm = sum(a, [0, 1], { keepdim: true });
    for (const w of weights) w.assign(sub(w.value, norm));
    averages.forEach((average, i) => {
      average.assign(mul(weights[i]!.value, 0.5));
    });
    return { norm };
  });
  expect(names.slice(0, 7)).toEqual(["sum", "expand", "sub", "mul", "expand", "sub", "mul"]);
});
