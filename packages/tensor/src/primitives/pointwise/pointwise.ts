// Pointwise primitives: one output element from the elements of the inputs at the same place.
import type { Allocate, Dtype } from "../../dtype.ts";
import { OpError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import { type Concrete, fromData, fromView } from "../../tensor.ts";
import { type NoParams, type Primitive, primitive, requireFloating, requireSame } from "../primitive.ts";
import { binaryLoop, stridedCopy, unaryLoop, whereLoop } from "./loops.ts";

function unary(name: string, doc: string, f: (x: number) => number, { floating = true } = {}): Primitive<NoParams> {
  const loop = unaryLoop(f);
  return primitive({
    doc,
    kind: "pointwise",
    infer: ([x]) => {
      if (floating) requireFloating(name, x!);
      return [{ shape: x!.shape, dtype: x!.dtype }];
    },
    evaluate: ([x], _, [y], allocate) => {
      const out = allocate(y!.dtype, sizeOf(y!.shape));
      loop(x!.view, out);
      return [fromData(out, y!.shape, y!.dtype)];
    },
  });
}

function binary(name: string, doc: string, f: (a: number, b: number) => number, output?: Dtype): Primitive<NoParams> {
  const loop = binaryLoop(f);
  return primitive({
    doc,
    kind: "pointwise",
    infer: ([a, b]) => {
      requireSame(name, a!, b!);
      return [{ shape: a!.shape, dtype: output ?? a!.dtype }];
    },
    evaluate: ([a, b], _, [y], allocate) => {
      const out = allocate(y!.dtype, sizeOf(y!.shape));
      loop(a!.view, b!.view, out);
      return [fromData(out, y!.shape, y!.dtype)];
    },
  });
}

const copied = (x: Concrete, dtype: Dtype, allocate: Allocate): Concrete => {
  const out = allocate(dtype, x.size);
  stridedCopy(x.view, out);
  return fromData(out, x.shape, dtype);
};

export const neg = unary("neg", "-x", (x) => -x, { floating: false });
export const exp = unary("exp", "e^x", (x) => Math.exp(x));
export const log = unary("log", "natural logarithm", (x) => Math.log(x));
export const sqrt = unary("sqrt", "square root", (x) => Math.sqrt(x));
export const abs = unary("abs", "|x|", (x) => Math.abs(x), { floating: false });
export const sin = unary("sin", "sine of radians", (x) => Math.sin(x));
export const cos = unary("cos", "cosine of radians", (x) => Math.cos(x));
export const atan = unary("atan", "arc tangent in radians", (x) => Math.atan(x));
/** A primitive for stability: 1/(1+exp(-x)) composed has 0 * inf in its gradient. */
export const sigmoid = unary("sigmoid", "1 / (1 + e^-x)", (x) => 1 / (1 + Math.exp(-x)));

export const add = binary("add", "a + b", (a, b) => a + b);
export const sub = binary("sub", "a - b", (a, b) => a - b);
export const mul = binary("mul", "a b", (a, b) => a * b);
export const div = binary("div", "a / b (int32 truncates)", (a, b) => a / b);
export const pow = binary("pow", "a^b", (a, b) => a ** b);
export const maximum = binary("maximum", "the larger", (a, b) => Math.max(a, b));
export const minimum = binary("minimum", "the smaller", (a, b) => Math.min(a, b));
export const greater = binary("greater", "a > b as bool", (a, b) => (a > b ? 1 : 0), "bool");
export const equal = binary("equal", "a = b as bool", (a, b) => (a === b ? 1 : 0), "bool");

export const where: Primitive<NoParams> = primitive({
  doc: "a where the bool c is true, else b",
  kind: "pointwise",
  infer: ([c, a, b]) => {
    if (c!.dtype !== "bool") throw new OpError("where", "a bool condition", c!.dtype, "compare first");
    requireSame("where", a!, b!);
    requireSame("where", { shape: c!.shape, dtype: a!.dtype }, a!);
    return [{ shape: a!.shape, dtype: a!.dtype }];
  },
  evaluate: ([c, a, b], _, [y], allocate) => {
    const out = allocate(y!.dtype, sizeOf(y!.shape));
    whereLoop(c!.view, a!.view, b!.view, out);
    return [fromData(out, y!.shape, y!.dtype)];
  },
});

export const copy: Primitive<NoParams> = primitive({
  doc: "the same values, row-major",
  kind: "pointwise",
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  evaluate: ([x], _, [y], allocate) => [copied(x!, y!.dtype, allocate)],
});

export const detach: Primitive<NoParams> = primitive({
  doc: "the same values, cut off from the gradient",
  kind: "view",
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  // A new tensor over the same view: gradients are keyed by tensor identity.
  evaluate: ([x]) => [fromView(x!, x!.shape, x!.view.stride, x!.view.offset)],
});

export const cast: Primitive<{ readonly dtype: Dtype }> = primitive({
  doc: "the same values in another dtype (bool: x != 0; int32 truncates)",
  kind: "pointwise",
  infer: ([x], { dtype }) => [{ shape: x!.shape, dtype }],
  evaluate: ([x], { dtype }, _, allocate) => {
    if (dtype !== "bool") return [copied(x!, dtype, allocate)];
    const out = allocate("bool", x!.size);
    nonZero(x!.view, out);
    return [fromData(out, x!.shape, dtype)];
  },
});
const nonZero = unaryLoop((x) => (x === 0 ? 0 : 1));
