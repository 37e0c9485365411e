// Minus signs go into sums: a + -b = a - b, -a + b = b - a, a - -b = a + b. Exact in floating point.
import type { Equation } from "../../bind.ts";
import type { Rule } from "./rule.ts";

export const signs: Rule = (e, { maker }) => {
  if (e.name !== "add" && e.name !== "sub") return undefined;
  const [a, b] = e.inputs as [(typeof e.inputs)[number], (typeof e.inputs)[number]];
  const negated = (t: typeof a) => {
    const made = maker(t);
    return made?.name === "neg" ? made.inputs[0]! : undefined;
  };
  const answer = (name: "add" | "sub", ...inputs: (typeof a)[]): Equation[] => [{ ...e, name, inputs }];
  const right = negated(b);
  if (right) return answer(e.name === "add" ? "sub" : "add", a, right);
  const left = e.name === "add" ? negated(a) : undefined;
  return left && answer("sub", b, left);
};
