// x + 0 = x, x - 0 = x, 1 x = x, x / 1 = x, --x = x
import { uniform } from "../program.ts";
import type { Rule } from "./rule.ts";

export const identities: Rule = ({ name, inputs }, { maker }) => {
  const [a, b] = inputs;
  switch (name) {
    case "add":
      return uniform(a!) === 0 ? b : uniform(b!) === 0 ? a : undefined;
    case "sub":
      return uniform(b!) === 0 ? a : undefined;
    case "mul":
      return uniform(a!) === 1 ? b : uniform(b!) === 1 ? a : undefined;
    case "div":
      return uniform(b!) === 1 ? a : undefined;
    case "neg": {
      const inner = maker(a!);
      return inner?.name === "neg" ? inner.inputs[0] : undefined;
    }
    default:
      return undefined;
  }
};
