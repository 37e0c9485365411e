// Early updates: programs before and after.
import { expect, test } from "vitest";
import { bind } from "../bind.ts";
import { trace } from "../compile.ts";
import { add, exp, full, matmul, mul, sub, sum, type Tensor, transpose, Variable } from "../index.ts";
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

test.each([
  { side: 1, expected: ["convInput", "convWeight"] },
  { side: 8, expected: ["convWeight", "convInput"] },
])("the gradient of a kernel comes behind that of a smaller map, not of a larger one: $side", ({ side, expected }) => {
  const w = new Variable(full([4, 4, 3, 3], 1));
  const map = full([1, 4, side, side], 1);
  const { program } = trace(
    (given) => {
      const ct = exp(given);
      const [options, shape] = [{ stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 } as const, map.shape];
      const [x] = bind("convInput", [ct, w.value], { ...options, shape });
      w.assign(sub(w.value, bind("convWeight", [ct, ct], { ...options, shape: w.value.shape })[0]!));
      return { x: x! };
    },
    [map],
  );
  const names = updateEarly(program).equations.map(({ name }) => name);
  expect(names.filter((name) => name.startsWith("conv"))).toEqual(expected);
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

test("what is made of a view of a Variable goes to its reader, and the Variable's update waits for it", () => {
  const [w, u] = [new Variable(full([2, 2], 1)), new Variable(full([2, 2], 1))];
  const names = lines((a) => {
    const turned = transpose(w.value);
    const y = matmul(a, turned);
    const doubled = mul(turned, 2);
    const gradient = exp(y);
    w.assign(sub(w.value, gradient));
    u.assign(matmul(gradient, doubled));
    return { y };
  });
  expect(names.slice(0, 6)).toEqual(["permute", "matmul", "exp", "mul", "matmul", "sub"]);
});

test("updates that wait for each other's readers all happen", () => {
  const [w, u] = [new Variable(full([2, 2], 1)), new Variable(full([2, 2], 1))];
  const names = lines((a) => {
    const [old, other] = [w.value, u.value];
    w.assign(add(old, a));
    u.assign(exp(sub(w.value, old)));
    return { y: exp(other) };
  });
  expect(names.slice(0, 4)).toEqual(["exp", "add", "sub", "exp"]);
});
