// The two languages that kernels are written in: the JavaScript that gpu.js translates, and WGSL itself. Expressions are text
// over what they write differently.
import { number } from "./text.ts";

type MathFunction = "exp" | "log" | "sqrt" | "abs" | "sin" | "cos" | "atan" | "pow" | "floor" | "ceil";

export interface Language {
  call(name: MathFunction, ...operands: readonly string[]): string;
  /** `a` where the condition holds, else `b`. Put it in brackets inside other text. */
  choose(condition: string, a: string, b: string): string;
  equal(a: string, b: string): string;
  differ(a: string, b: string): string;
  /** A name for a value. */
  define(name: string, value: string): string;
  /** A number, infinity included. */
  number(x: number): string;
}

export const script: Language = {
  call: (name, ...operands) => `Math.${name}(${operands.join(", ")})`,
  choose: (condition, a, b) => `${condition} ? ${a} : ${b}`,
  equal: (a, b) => `${a} === ${b}`,
  differ: (a, b) => `${a} !== ${b}`,
  define: (name, value) => `const ${name} = ${value};`,
  number,
};

/** WGSL has no literal for infinity: the largest number stands for it. */
const LARGEST = "0x1.fffffep+127";
export const wgsl: Language = {
  call: (name, ...operands) => `${name}(${operands.join(", ")})`,
  choose: (condition, a, b) => `select(${b}, ${a}, ${condition})`,
  equal: (a, b) => `${a} == ${b}`,
  differ: (a, b) => `${a} != ${b}`,
  define: (name, value) => `let ${name}: f32 = ${value};`,
  number(x) {
    const size = Math.abs(x) > 3.4028234663852886e38 ? LARGEST : String(Math.abs(Math.fround(x)));
    const text = /[.ex]/.test(size) ? size : `${size}.0`;
    return x < 0 || Object.is(x, -0) ? `(-${text})` : text;
  },
};
