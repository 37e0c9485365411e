// Cases of the pointwise primitives.
import { fromData, type ParamsOf, type Shape, type Tensor } from "@orepa/tensor";
import {
  a,
  apart,
  b,
  bools,
  draw,
  extremes,
  floats,
  integers,
  none,
  notFloat,
  type OpMistake,
  type OpSample,
  type SomeOpCases,
  singles,
  spread,
} from "./op-case.ts";

type Sample = OpSample<ParamsOf<"exp">>;
type Mistake = OpMistake<ParamsOf<"exp">>;

/** One input: a matrix, a scalar, an axis of size 1 and nothing; `low` to `high` is where the derivatives are tame. */
const unary = (key: string, low: number, high: number): Sample[] =>
  [[3, 4], [], [2, 1, 3], [0, 2]].map((shape) => ({
    about: `shape [${shape}]`,
    inputs: [draw(key, shape, low, high)],
    params: none,
    shapes: [shape],
    gradients: [0],
  }));
const far = (values: readonly number[], gradients: readonly number[] = [0]): Sample => ({
  about: `at ${values.join(" ")}`,
  inputs: [floats(values)],
  params: none,
  shapes: [[values.length]],
  gradients,
});
const floatOnly: Mistake = { about: "int32", inputs: [integers([1, 2])], params: none, error: notFloat };

/** Two inputs of one shape. */
const binary = (a: (shape: Shape) => Tensor, b: (shape: Shape) => Tensor, gradients: readonly number[]): Sample[] =>
  [[3, 4], [], [2, 1, 3], [0, 2]].map((shape) => ({
    about: `shape [${shape}]`,
    inputs: [a(shape), b(shape)],
    params: none,
    shapes: [shape],
    gradients,
  }));
const unequal: readonly Mistake[] = [
  {
    about: "shapes that differ",
    inputs: [draw("a", [2, 3]), draw("b", [3, 2])],
    params: none,
    error: { expected: "equal shapes", got: "[2, 3] and [3, 2]" },
  },
  {
    about: "dtypes that differ",
    inputs: [floats([1, 2]), singles([1, 2])],
    params: none,
    error: { expected: "equal dtypes", got: "float64 and float32" },
  },
];
const positive = (key: string) => (shape: Shape) => draw(key, shape, 0.5, 2);
/** Another order of values that never meet those of `apart`. */
const between = (shape: Shape) => {
  const x = spread("between", shape);
  return fromData(
    Float64Array.from(x.toTypedArray(), (v) => v + 1 / 16),
    shape,
  );
};
const wholes: Sample = {
  about: "int32",
  inputs: [integers([7, -7, 3, 0]), integers([2, 2, 3, 5])],
  params: none,
  shapes: [[4]],
  gradients: [],
};
const comparison = [
  ...binary(a, b, []),
  { about: "ties", inputs: [floats([1, 2, 3]), floats([1, 3, 2])], params: none, shapes: [[3]], gradients: [] },
  wholes,
  ...unequal,
] as const;

export const pointwiseCases = {
  neg: [
    ...unary("neg", -1, 1),
    { ...far([]), about: "int32", inputs: [integers([1, -2])], shapes: [[2]], gradients: [] },
  ],
  exp: [...unary("exp", -1, 1), far(extremes), floatOnly],
  log: [...unary("log", 0.5, 3), far([1e-30, 1e30, 0], []), floatOnly],
  sqrt: [...unary("sqrt", 0.5, 3), far([0, 1e-30, 1e30], []), floatOnly],
  abs: [...unary("abs", 0.1, 1), ...unary("abs", -1, -0.1), far([-0, 0], []), far(extremes)],
  sin: [...unary("sin", -4, 4), far([-100, 100]), floatOnly],
  cos: [...unary("cos", -4, 4), far([-100, 100]), floatOnly],
  atan: [...unary("atan", -2, 2), far(extremes), floatOnly],
  sigmoid: [...unary("sigmoid", -3, 3), far(extremes), far([-1000, 1000]), floatOnly],
  copy: [...unary("copy", -1, 1)],
  detach: [...unary("detach", -1, 1).map((c) => ({ ...c, gradients: [] }))],
  cast: [
    { about: "float64 to itself", inputs: [a([2, 3])], params: { dtype: "float64" }, shapes: [[2, 3]], gradients: [0] },
    { about: "to float32", inputs: [a([2, 3])], params: { dtype: "float32" }, shapes: [[2, 3]], gradients: [] },
    { about: "to int32", inputs: [floats([-1.5, 1.5, 7])], params: { dtype: "int32" }, shapes: [[3]], gradients: [] },
    { about: "to bool", inputs: [floats([-1.5, 0, 0.25])], params: { dtype: "bool" }, shapes: [[3]], gradients: [] },
    { about: "bool to float", inputs: [bools([0, 1])], params: { dtype: "float64" }, shapes: [[2]], gradients: [] },
  ],

  add: [...binary(a, b, [0, 1]), wholes, ...unequal],
  sub: [...binary(a, b, [0, 1]), wholes, ...unequal],
  mul: [...binary(a, b, [0, 1]), wholes, ...unequal],
  div: [
    ...binary(a, positive("b"), [0, 1]),
    { ...wholes, about: "int32 truncates" },
    { ...far([]), about: "by 0", inputs: [floats([1, -1]), floats([0, 0])], shapes: [[2]], gradients: [] },
    ...unequal,
  ],
  pow: [
    ...binary(positive("a"), b, [0, 1]),
    { ...far([]), about: "square of 0 and of a negative", inputs: [floats([0, -2]), floats([2, 2])], shapes: [[2]] },
    { ...far([]), about: "power 0, also of 0", inputs: [floats([0, 2]), floats([0, 0])], shapes: [[2]] },
    { ...far([]), about: "power 1 of 0", inputs: [floats([0, -2]), floats([1, 1])], shapes: [[2]] },
    ...unequal,
  ],
  maximum: [
    ...binary(apart, between, [0, 1]),
    { ...far([]), about: "ties", inputs: [floats([1, 2]), floats([1, 2])], shapes: [[2]], gradients: [] },
    ...unequal,
  ],
  minimum: [
    ...binary(apart, between, [0, 1]),
    { ...far([]), about: "ties", inputs: [floats([1, 2]), floats([1, 2])], shapes: [[2]], gradients: [] },
    ...unequal,
  ],
  greater: comparison,
  equal: comparison,
  where: [
    {
      about: "a mixed condition",
      inputs: [bools([1, 0, 0, 1, 1, 0], [2, 3]), a([2, 3]), b([2, 3])],
      params: none,
      shapes: [[2, 3]],
      gradients: [1, 2],
    },
    {
      about: "infinity in the branch not taken",
      inputs: [bools([1, 0]), floats([1, Number.POSITIVE_INFINITY]), floats([Number.NEGATIVE_INFINITY, 2])],
      params: none,
      shapes: [[2]],
      gradients: [],
    },
    {
      about: "a condition of numbers",
      inputs: [floats([1, 0]), floats([1, 2]), floats([3, 4])],
      params: none,
      error: { expected: "a bool condition", got: "float64" },
    },
    {
      about: "branches of different shapes",
      inputs: [bools([1, 0]), floats([1, 2]), floats([3])],
      params: none,
      error: { expected: "equal shapes", got: "[2] and [1]" },
    },
  ],
} satisfies SomeOpCases;
