// gradcheck finds wrong gradients, says where, and leaves Variables as they were.
import { add, exp, mul, OpError, sin, sum, type Tensor, tensor, Variable, where } from "@orepa/tensor";
import { expect, test } from "vitest";
import { customVjp } from "./custom-vjp.ts";
import { GradcheckError, gradcheck } from "./gradcheck.ts";

const float64 = { dtype: "float64" } as const;
const x = tensor([0.5, -0.25, 1], float64);
const y = tensor([2, 3, -1], float64);

/** a b whose gradient for b has a wrong factor at one element. */
const wrongProduct = customVjp(
  (a: Tensor, b: Tensor) => mul(a, b),
  ({ inputs: [a, b], cotangents: [ct] }) => [mul(ct!, b), mul(mul(ct!, a), tensor([1, 1, 1.5], float64))],
);
/** exp whose gradient is right and whose gradient's gradient is not. */
const wrongTwice = customVjp(
  (a: Tensor) => exp(a),
  ({ inputs: [a], cotangents: [ct] }) => [mul(ct!, wrongExp(a))],
);
const wrongExp = customVjp(
  (a: Tensor) => exp(a),
  ({ outputs: [b], cotangents: [ct] }) => [mul(ct!, mul(b!, -1))],
);
const failure = (f: () => number): GradcheckError => {
  try {
    f();
  } catch (error) {
    if (error instanceof GradcheckError) return error;
    throw error;
  }
  throw new Error("gradcheck was content");
};

test("right gradients of both orders pass and the largest deviation comes back", () => {
  for (const order of [1, 2] as const) {
    const deviation = gradcheck((a, b) => sin(mul(a, exp(b))), [x, y], { order });
    expect(deviation).toBeGreaterThanOrEqual(0);
    expect(deviation).toBeLessThan(1e-6);
  }
});

test("a failure names the input, the element and both values", () => {
  const error = failure(() => gradcheck((a, b) => sum(wrongProduct(a, b)), [x, y], { seed: 7 }));
  expect(error).toMatchObject({ order: 1, seed: 7, input: 1, worst: { index: [2], analytic: 1.5 } });
  expect(error.worst.numeric).toBeCloseTo(1, 9);
  expect(error.analytic).not.toBeCloseTo(error.numeric, 3);
  expect(error.direction[0]!.toArray()).toEqual([0, 0, 0]);
  expect(error.message).toContain("input 1, worst element [2]: analytic 1.5");
});

test("an error of second order is found at order 2 only", () => {
  const fn = (a: Tensor) => sum(wrongTwice(a));
  gradcheck(fn, [x]);
  expect(failure(() => gradcheck(fn, [x], { order: 2 })).order).toBe(2);
});

test("a gradient that is NaN, or missing, fails", () => {
  const nan = customVjp(
    (a: Tensor) => mul(a, 2),
    ({ cotangents: [ct] }) => [mul(ct!, Number.NaN)],
  );
  const missing = customVjp(
    (a: Tensor) => mul(a, 2),
    () => [null],
  );
  expect(failure(() => gradcheck(nan, [x])).analytic).toBeNaN();
  expect(failure(() => gradcheck(missing, [x])).analytic).toBe(0);
});

test("small and large gradients are held to the same relative tolerance", () => {
  for (const scale of [1e-2, 1, 1e6]) {
    gradcheck((a) => mul(sum(sin(a)), scale), [x]);
    failure(() => gradcheck((a, b) => mul(sum(wrongProduct(a, b)), scale), [x, y]));
  }
});

test("Variables move while the function reads them, and get their values back", () => {
  const w = new Variable(y);
  const before = w.value;
  gradcheck((a) => sin(mul(a, w.value)), [x, w], { order: 2 });
  expect(w.value).toBe(before);
  failure(() => gradcheck((a) => wrongProduct(a, w.value), [x, w]));
  expect(w.value).toBe(before);
});

test("a tensor given twice is two inputs", () => {
  gradcheck((a, b) => mul(a, exp(b)), [x, x], { order: 2 });
});

test("integers and bools are passed on, float32 is refused", () => {
  const mask = tensor([true, false, true]);
  gradcheck((a, m) => where(m, sin(a), 0), [x, mask], { order: 2 });
  expect(() => gradcheck((a) => add(a, 1), [tensor([1])])).toThrow(OpError);
  expect(() => gradcheck(() => x, [mask])).toThrow(OpError);
});
