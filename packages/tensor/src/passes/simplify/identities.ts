// x + 0 = x, x - 0 = x, 1 x = x, x / 1 = x, --x = x; a cast to the same dtype, a sum over axes of size 1. A program has its
// gradients already, so that detach does nothing more.
import { uniform } from "../program.ts";
import type { Rule } from "./rule.ts";

export const identities: Rule = (e, { maker }) => {
  const [a, b] = e.inputs;
  switch (e.name) {
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
    case "detach":
      return a;
    case "cast":
      return a!.dtype === e.params.dtype ? a : undefined;
    case "sum":
    case "amax":
    case "amin":
      return e.params.axes.every((axis) => a!.shape[axis] === 1) ? a : undefined;
    default:
      return undefined;
  }
};
