// Pointwise primitives as text over the text of their operands: one expression each, shared by every kernel that has one
// inside. A gpu need not produce NaN or infinity; the modes cpu and webasm do.
import type { EquationOf } from "../../bind.ts";
import type { PrimitiveName } from "../../primitives/table.ts";

export interface Expression<N extends PrimitiveName> {
  expression(operands: readonly [string, string, string], equation: EquationOf<N>): string;
}
type Operands = readonly [string, string, string];
const unary = (text: (x: string) => string) => ({ expression: ([x]: Operands): string => text(x) });
const binary = (text: (a: string, b: string) => string) => ({
  expression: ([a, b]: Operands): string => text(a, b),
});
const truncated = (x: string): string => `(${x} < 0 ? Math.ceil(${x}) : Math.floor(${x}))`;

/** WGSL's max and min drop NaN. */
export const larger = (a: string, b: string): string => `${a} > ${b} ? ${a} : (${b} >= ${a} ? ${b} : ${a} + ${b})`;
export const smaller = (a: string, b: string): string => `${a} < ${b} ? ${a} : (${b} <= ${a} ? ${b} : ${a} + ${b})`;

/** a^b; languages of shaders know it for a > 0 alone. */
function power(a: string, b: string): string {
  const fixed: Record<string, string> = { "0": "1", "1": a, "2": `${a} * ${a}`, "3": `${a} * ${a} * ${a}` };
  if (fixed[b] !== undefined) return fixed[b];
  if (b === "(-1)") return `1 / ${a}`;
  const odd = `${b} - 2 * Math.floor(${b} / 2) === 1`;
  const magnitude = `Math.pow(Math.abs(${a}), ${b})`;
  const ofNegative = `(Math.floor(${b}) === ${b} ? (${odd} ? -${magnitude} : ${magnitude}) : Math.sqrt(${a}))`;
  const ofZero = `(${b} > 0 ? 0 : Infinity)`;
  return `${b} === 0 ? 1 : (${a} < 0 ? ${ofNegative} : (${a} === 0 ? ${ofZero} : Math.pow(${a}, ${b})))`;
}

export const expressions = {
  neg: unary((x) => `-${x}`),
  exp: unary((x) => `Math.exp(${x})`),
  log: unary((x) => `Math.log(${x})`),
  sqrt: unary((x) => `Math.sqrt(${x})`),
  abs: unary((x) => `Math.abs(${x})`),
  sin: unary((x) => `Math.sin(${x})`),
  cos: unary((x) => `Math.cos(${x})`),
  atan: unary((x) => `Math.atan(${x})`),
  sigmoid: unary((x) => `1 / (1 + Math.exp(-${x}))`),
  copy: unary((x) => x),
  cast: {
    expression: ([x], { params: { dtype } }) =>
      dtype === "bool" ? `${x} === 0 ? 0 : 1` : dtype === "int32" ? truncated(x) : x,
  } satisfies Expression<"cast">,
  add: binary((a, b) => `${a} + ${b}`),
  sub: binary((a, b) => `${a} - ${b}`),
  mul: binary((a, b) => `${a} * ${b}`),
  div: {
    expression: ([a, b], { outputs }) => (outputs[0]!.dtype === "int32" ? truncated(`(${a} / ${b})`) : `${a} / ${b}`),
  } satisfies Expression<"div">,
  pow: binary(power),
  maximum: binary(larger),
  minimum: binary(smaller),
  greater: binary((a, b) => `${a} > ${b} ? 1 : 0`),
  equal: binary((a, b) => `${a} === ${b} ? 1 : 0`),
  where: { expression: ([c, a, b]) => `${c} !== 0 ? ${a} : ${b}` } satisfies Expression<"where">,
};
