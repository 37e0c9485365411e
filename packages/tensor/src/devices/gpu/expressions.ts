// Pointwise primitives as text over the text of their operands: one expression each, shared by every kernel that has one
// inside. A gpu need not produce NaN or infinity; the modes cpu and webasm do.
import type { EquationOf } from "../../bind.ts";
import type { PrimitiveName } from "../../primitives/table.ts";
import type { Language } from "./language.ts";

export interface Expression<N extends PrimitiveName> {
  expression(operands: readonly [string, string, string], language: Language, equation: EquationOf<N>): string;
}
type Operands = readonly [string, string, string];
const unary = (text: (x: string, l: Language) => string) => ({
  expression: ([x]: Operands, l: Language): string => text(x, l),
});
const binary = (text: (a: string, b: string, l: Language) => string) => ({
  expression: ([a, b]: Operands, l: Language): string => text(a, b, l),
});
const truncated = (x: string, l: Language): string =>
  `(${l.choose(`${x} < ${l.number(0)}`, l.call("ceil", x), l.call("floor", x))})`;

/** WGSL's max and min drop NaN. */
export const larger = (a: string, b: string, l: Language): string =>
  l.choose(`${a} > ${b}`, a, `(${l.choose(`${b} >= ${a}`, b, `${a} + ${b}`)})`);
export const smaller = (a: string, b: string, l: Language): string =>
  l.choose(`${a} < ${b}`, a, `(${l.choose(`${b} <= ${a}`, b, `${a} + ${b}`)})`);

/** a^b; languages of shaders know it for a > 0 alone. */
function power(a: string, b: string, l: Language): string {
  const n = (x: number) => l.number(x);
  const fixed: Record<string, string> = {
    [n(0)]: n(1),
    [n(1)]: a,
    [n(2)]: `${a} * ${a}`,
    [n(3)]: `${a} * ${a} * ${a}`,
  };
  if (fixed[b] !== undefined) return fixed[b];
  if (b === n(-1)) return `${n(1)} / ${a}`;
  const odd = l.equal(`${b} - ${n(2)} * ${l.call("floor", `${b} / ${n(2)}`)}`, n(1));
  const magnitude = l.call("pow", l.call("abs", a), b);
  const signed = `(${l.choose(odd, `-${magnitude}`, magnitude)})`;
  const ofNegative = `(${l.choose(l.equal(l.call("floor", b), b), signed, l.call("sqrt", a))})`;
  const ofZero = `(${l.choose(`${b} > ${n(0)}`, n(0), n(Number.POSITIVE_INFINITY))})`;
  const ofRest = `(${l.choose(l.equal(a, n(0)), ofZero, l.call("pow", a, b))})`;
  return l.choose(l.equal(b, n(0)), n(1), `(${l.choose(`${a} < ${n(0)}`, ofNegative, ofRest)})`);
}

export const expressions = {
  neg: unary((x) => `-${x}`),
  exp: unary((x, l) => l.call("exp", x)),
  log: unary((x, l) => l.call("log", x)),
  sqrt: unary((x, l) => l.call("sqrt", x)),
  abs: unary((x, l) => l.call("abs", x)),
  sin: unary((x, l) => l.call("sin", x)),
  cos: unary((x, l) => l.call("cos", x)),
  atan: unary((x, l) => l.call("atan", x)),
  sigmoid: unary((x, l) => `${l.number(1)} / (${l.number(1)} + ${l.call("exp", `-${x}`)})`),
  copy: unary((x) => x),
  cast: {
    expression: ([x], l, { params: { dtype } }) =>
      dtype === "bool"
        ? l.choose(l.equal(x, l.number(0)), l.number(0), l.number(1))
        : dtype === "int32"
          ? truncated(x, l)
          : x,
  } satisfies Expression<"cast">,
  add: binary((a, b) => `${a} + ${b}`),
  sub: binary((a, b) => `${a} - ${b}`),
  mul: binary((a, b) => `${a} * ${b}`),
  div: {
    expression: ([a, b], l, { outputs }) =>
      outputs[0]!.dtype === "int32" ? truncated(`(${a} / ${b})`, l) : `${a} / ${b}`,
  } satisfies Expression<"div">,
  pow: binary(power),
  maximum: binary(larger),
  minimum: binary(smaller),
  greater: binary((a, b, l) => l.choose(`${a} > ${b}`, l.number(1), l.number(0))),
  equal: binary((a, b, l) => l.choose(l.equal(a, b), l.number(1), l.number(0))),
  where: {
    expression: ([c, a, b], l) => l.choose(l.differ(c, l.number(0)), a, b),
  } satisfies Expression<"where">,
};
