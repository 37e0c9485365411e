// concat(split(x)..., y) = concat(x, y): pieces that go back together in order were never apart.
import type { Tensor } from "../../tensor.ts";
import { rewrite } from "../program.ts";
import type { Rule } from "./rule.ts";

export const concatOfSplit: Rule = (e, { maker }) => {
  if (e.name !== "concat") return undefined;
  const inputs: Tensor[] = [];
  for (let i = 0; i < e.inputs.length; ) {
    const made = maker(e.inputs[i]!);
    const whole =
      made?.name === "split" &&
      made.params.axis === e.params.axis &&
      made.outputs.every((piece, k) => e.inputs[i + k] === piece);
    inputs.push(whole ? made.inputs[0]! : e.inputs[i]!);
    i += whole ? made.outputs.length : 1;
  }
  if (inputs.length === e.inputs.length) return undefined;
  return inputs.length === 1 ? inputs[0]! : [rewrite(e, { inputs })];
};
