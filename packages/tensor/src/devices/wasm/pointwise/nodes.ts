// What each node of an expression is on four lanes.
import type { FunctionBuilder } from "../assembler.ts";
import { exponential } from "../kernels/exp.ts";
import { f32x4, op } from "../values.ts";
import type { NodeName } from "./expression.ts";
import { atan, cos, log, sigmoid, sin } from "./functions.ts";
import { pow } from "./pow.ts";
import { abs, add, and, choose, div, mul, ONE, sub, type Vector, ZERO } from "./vectors.ts";

/** Emits the node of arguments that are locals or constants. */
export type Emit = (...args: readonly Vector[]) => Vector;
type Two = (a: Vector, b: Vector) => Vector;

const unary = (emit: (x: Vector) => Vector) => (): Emit => (x) => emit(x!);
const binary = (emit: Two) => (): Emit => (a, b) => emit(a!, b!);

/**
 * `prepare` is called once in a kernel, before its loops; what it gives emits the node, any number of times.
 * maximum and minimum keep NaN and order the zeros; comparisons give 1 or 0; truncate never gives -0.
 */
export const nodes: Readonly<Record<NodeName, (f: FunctionBuilder) => Emit>> = {
  neg: unary((x) => op("f32x4.neg", x)),
  exp: (f) => unary(exponential(f))(),
  log: (f) => unary(log(f))(),
  sqrt: unary((x) => op("f32x4.sqrt", x)),
  abs: unary(abs),
  sin: (f) => unary(sin(f))(),
  cos: (f) => unary(cos(f))(),
  atan: (f) => unary(atan(f))(),
  sigmoid: (f) => unary(sigmoid(f))(),
  copy: unary((x) => x),
  truncate: unary((x) => add(op("f32x4.trunc", x), ZERO)),
  nonZero: unary((x) => and(op("f32x4.ne", x, ZERO), ONE)),
  add: binary(add),
  sub: binary(sub),
  mul: binary(mul),
  div: binary(div),
  pow: (f) => binary(pow(f))(),
  maximum: binary((a, b) => op("f32x4.max", a, b)),
  minimum: binary((a, b) => op("f32x4.min", a, b)),
  greater: binary((a, b) => and(op("f32x4.gt", a, b), ONE)),
  equal: binary((a, b) => and(op("f32x4.eq", a, b), ONE)),
  where: () => (condition, yes, no) => choose(op("f32x4.ne", condition!, ZERO), yes!, no!),
};

/** The larger or the smaller of x and a constant, in two instructions where the general node takes six. */
export const bounded = (name: "maximum" | "minimum", x: Vector, limit: number): Vector | undefined => {
  if (Number.isNaN(limit) || Object.is(limit, -0)) return undefined;
  // pmax(a, b) = a < b ? b : a and pmin(a, b) = b < a ? b : a keep a NaN that comes first.
  if (name === "minimum") return op("f32x4.pmin", x, f32x4(limit));
  const larger = op("f32x4.pmax", x, f32x4(limit));
  return limit === 0 ? add(larger, ZERO) : larger; // -0 + 0 = 0
};
