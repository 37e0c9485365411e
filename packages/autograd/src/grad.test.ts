// grad and valueAndGrad: values by hand, orders, compile, Variables, what is computed and what is refused.
import {
  abs,
  add,
  compile,
  conv2d,
  detach,
  exp,
  greater,
  mean,
  mul,
  OpError,
  observe,
  ones,
  relu,
  softplus,
  sub,
  sum,
  type Tensor,
  tensor,
  Variable,
  where,
} from "@orepa/tensor";
import { expect, test } from "vitest";
import { grad, valueAndGrad } from "./grad.ts";
import { expectParity } from "./testing/wasm-devices.cases.ts";

const float64 = { dtype: "float64" } as const;
const cube = (x: Tensor) => sum(mul(x, mul(x, x)));

test("the value comes with one gradient per element of wrt, keyed by it", () => {
  const x = tensor([1, 2], float64);
  const w = new Variable(tensor([3, 4], float64));
  const { value, grads } = valueAndGrad(() => sum(mul(x, mul(x, w.value))), [x, w]);
  expect(value.item()).toBe(19);
  expect(grads.get(x)!.toArray()).toEqual([6, 16]);
  expect(grads.get(w)!.toArray()).toEqual([1, 4]);
});

test("a tensor used several times gathers all its cotangents", () => {
  const x = tensor(3, float64);
  expect(
    grad(() => add(mul(x, x), mul(2, x)), [x])
      .get(x)!
      .item(),
  ).toBe(8);
});

test("calls nest: x^3 has 3 x^2, 6 x and 6", () => {
  const x = tensor([1, 2], float64);
  const first = () => grad(() => cube(x), [x]).get(x)!;
  const second = () => grad(() => sum(first()), [x]).get(x)!;
  const third = grad(() => sum(second()), [x]).get(x)!;
  expect(first().toArray()).toEqual([3, 12]);
  expect(second().toArray()).toEqual([6, 12]);
  expect(third.toArray()).toEqual([6, 6]);
});

test("what the value does not depend on has a gradient of zeros", () => {
  const x = tensor([1, 2], float64);
  const y = tensor([[5]]);
  const grads = grad(() => sum(detach(mul(x, 2))), [x, y]);
  expect(grads.get(x)!.toArray()).toEqual([0, 0]);
  expect(grads.get(y)).toMatchObject({ shape: [1, 1], dtype: "float32" });
});

test("a gradient has the dtype of its tensor", () => {
  const x = tensor([1, 2]);
  expect(grad(() => sum(mul(x, tensor([3, 4], float64))), [x]).get(x)).toMatchObject({ dtype: "float32" });
});

test("eagerly and compiled give the same, also for Variables and of second order", async () => {
  const w = new Variable(tensor([3, 4], float64));
  const step = (x: Tensor) => {
    const inner = () => grad(() => sum(exp(mul(x, w.value))), [x]).get(x)!;
    const { value, grads } = valueAndGrad(() => sum(mul(inner(), inner())), [x, w]);
    return { value, x: grads.get(x)!, w: grads.get(w)! };
  };
  const x = tensor([0.5, -0.25], float64);
  const eager = step(x);
  const compiled = await compile(step)(x);
  for (const name of ["value", "x", "w"] as const) expect(compiled[name].toArray()).toEqual(eager[name].toArray());
});

test("on wasm too, for a Variable and of second order", () =>
  expectParity((dtype) => {
    const w = new Variable(tensor([3, 4], { dtype }));
    const run = (x: Tensor): Record<string, Tensor> => {
      const inner = () => grad(() => sum(exp(mul(x, w.value))), [x]).get(x)!;
      const { value, grads } = valueAndGrad(() => sum(mul(inner(), inner())), [x, w]);
      return { value, x: grads.get(x)!, w: grads.get(w)! };
    };
    return { inputs: [tensor([0.5, -0.25], { dtype })], run: (x) => run(x!) };
  }));

test("a compiled training step moves its Variable against the gradient", async () => {
  const w = new Variable(tensor([1, 1], float64));
  const step = compile((target: Tensor) => {
    const { value, grads } = valueAndGrad(() => mean(mul(sub(w.value, target), sub(w.value, target))), [w]);
    w.assign(sub(w.value, mul(0.5, grads.get(w)!)));
    return value;
  });
  const losses = [];
  for (let i = 0; i < 3; i++) losses.push((await step(tensor([3, -1], float64))).item());
  expect(losses).toEqual([4, 1, 0.25]);
});

test("two Variables made from one tensor have gradients of their own", () => {
  const start = tensor([1, 2], float64);
  const [v, w] = [new Variable(start), new Variable(start)];
  const grads = grad(() => sum(mul(v.value, sub(w.value, start))), [v, w]);
  expect(grads.get(v)!.toArray()).toEqual([0, 0]);
  expect(grads.get(w)!.toArray()).toEqual([1, 2]);
});

test("cotangents that nobody asked for are not computed", () => {
  const image = ones([1, 2, 4, 4]);
  const weight = new Variable(ones([3, 2, 3, 3]));
  const names: string[] = [];
  observe(
    ({ name }) => names.push(name),
    () => grad(() => sum(conv2d(image, weight.value)), [weight]),
  );
  expect(names).toContain("convWeight");
  expect(names).not.toContain("convInput");
});

test("kinks have PyTorch's gradients: relu 0 at 0, softplus 1/2", () => {
  const x = tensor([0, -1, 1], float64);
  expect(
    grad(() => sum(relu(x)), [x])
      .get(x)!
      .toArray(),
  ).toEqual([0, 0, 1]);
  expect(
    (
      grad(() => sum(softplus(x)), [x])
        .get(x)!
        .toArray() as number[]
    )[0],
  ).toBe(0.5);
});

test("a branch that is not taken gives no NaN to the cotangent", () => {
  const x = tensor([-1, 4], float64);
  const y = grad(() => sum(where(greater(x, 0), mul(x, x), 0)), [x]).get(x)!;
  expect(abs(y).toArray()).toEqual([0, 8]);
});

test("a value that is not a scalar, and integers, are refused with the fields of an OpError", () => {
  const x = tensor([1, 2]);
  const refused = (f: () => unknown) => {
    try {
      f();
    } catch (error) {
      if (error instanceof OpError) return { op: error.op, got: error.got };
    }
    throw new Error("it was not refused");
  };
  expect(refused(() => grad(() => mul(x, 2), [x]))).toEqual({ op: "grad", got: "[2] float32" });
  const index = tensor([1, 2], { dtype: "int32" });
  expect(refused(() => grad(() => sum(index), [index]))).toEqual({ op: "grad", got: "[2] int32" });
});
