// customVjp: the given gradient replaces the one of the ops, eagerly, compiled, and again for higher orders.
import {
  add,
  cast,
  compile,
  cos,
  exp,
  minimum,
  mul,
  OpError,
  sin,
  sum,
  type Tensor,
  tensor,
  Variable,
} from "@orepa/tensor";
import { expect, test } from "vitest";
import { customVjp } from "./custom-vjp.ts";
import { grad } from "./grad.ts";
import { gradcheck } from "./gradcheck.ts";
import { expectParity } from "./testing/wasm-devices.cases.ts";

const float64 = { dtype: "float64" } as const;
const x = tensor([-1, 2], float64);
const y = tensor([3, 0.5], float64);

const gentleExp = customVjp(
  (a: Tensor) => exp(a),
  ({ outputs: [b], cotangents: [ct] }) => [mul(ct!, minimum(b!, 1))],
);
/** [sin(a), a b] with their true gradients. */
const pair = customVjp(
  (a: Tensor, b: Tensor) => [sin(a), mul(a, b)] as const,
  ({ inputs: [a, b], cotangents: [ctSin, ctProduct] }) => [
    add(mul(ctSin!, cos(a)), mul(ctProduct!, b)),
    mul(ctProduct!, a),
  ],
);

test("the value is forward's, the gradient is backward's", () => {
  expect(gentleExp(x).toArray()).toEqual(exp(x).toArray());
  expect(
    grad(() => sum(gentleExp(x)), [x])
      .get(x)!
      .toArray(),
  ).toEqual([Math.exp(-1), 1]);
});

test("higher orders differentiate backward", () => {
  const first = () => grad(() => sum(gentleExp(x)), [x]).get(x)!;
  // d min(e^x, 1) / dx by the rule of minimum and by gentleExp's own gradient
  expect(
    grad(() => sum(first()), [x])
      .get(x)!
      .toArray(),
  ).toEqual([Math.exp(-1), 0]);
});

test("several outputs: each has its cotangent, all or some of them used", () => {
  gradcheck((a, b) => mul(pair(a, b)[0], pair(a, b)[1]), [x, y], { order: 2 });
  gradcheck((a, b) => pair(a, b)[0], [x, y], { order: 2 });
  gradcheck((a, b) => pair(mul(a, b), b)[1], [x, y], { order: 2 });
});

test("calls nest and take the same tensor twice", () => {
  gradcheck((a) => pair(pair(a, a)[0], pair(a, a)[1])[1], [x], { order: 2 });
});

test("compiled it gives what it gives eagerly, with the gradient a part of the program", async () => {
  const w = new Variable(y);
  const step = (a: Tensor) => {
    const grads = grad(() => sum(mul(...pair(gentleExp(a), w.value))), [a, w]);
    return { a: grads.get(a)!, w: grads.get(w)! };
  };
  const eager = step(x);
  const compiled = await compile(step)(x);
  expect(compiled.a.toArray()).toEqual(eager.a.toArray());
  expect(compiled.w.toArray()).toEqual(eager.w.toArray());
});

test("on wasm it gives the same, values and gradients of both orders", () =>
  expectParity((dtype) => {
    const run = (a: Tensor, b: Tensor): Record<string, Tensor> => {
      const value = () => sum(mul(...pair(gentleExp(a), b)));
      const first = () => [...grad(value, [a, b]).values()];
      const second = grad(
        () =>
          first()
            .map((g) => sum(mul(g, g)))
            .reduce((s, g) => add(s, g)),
        [a, b],
      );
      return Object.fromEntries([value(), ...first(), ...second.values()].map((t, i) => [`${i}`, t]));
    };
    return { inputs: [cast(x, dtype), cast(y, dtype)], run: (a, b) => run(a!, b!) };
  }));

test("backward learns which gradients are wanted", () => {
  const seen: (readonly boolean[])[] = [];
  const product = customVjp(
    (a: Tensor, b: Tensor) => mul(a, b),
    ({ inputs: [a, b], cotangents: [ct], needs }) => {
      seen.push(needs);
      return [needs[0] ? mul(ct!, b) : null, needs[1] ? mul(ct!, a) : null];
    },
  );
  expect(
    grad(() => sum(product(x, y)), [y])
      .get(y)!
      .toArray(),
  ).toEqual(x.toArray());
  expect(seen).toEqual([[false, true]]);
});

test("forward may return its input, which keeps its own gradient elsewhere", () => {
  const reversed = customVjp(
    (a: Tensor) => a,
    ({ cotangents: [ct] }) => [mul(ct!, -1)],
  );
  expect(
    grad(() => sum(add(reversed(x), mul(x, 3))), [x])
      .get(x)!
      .toArray(),
  ).toEqual([2, 2]);
});

test("a gradient of another number, shape or dtype is refused", () => {
  const wrong = (gradients: readonly Tensor[]) =>
    customVjp(
      (a: Tensor) => mul(a, 2),
      () => gradients,
    );
  for (const gradients of [[], [sum(x)], [tensor([1, 2])]])
    expect(() => grad(() => sum(wrong(gradients)(x)), [x])).toThrow(OpError);
});
