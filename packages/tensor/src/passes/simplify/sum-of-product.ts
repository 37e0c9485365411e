// sum(x expand(v)) = v sum(x) and sum(-x) = -sum(x), over the axes that v repeats: the product shrinks to v's size.
// Batch norm's gradient then sums one tensor instead of making another.
import { sameShape } from "../../shape.ts";
import { type Rule, symbolLike } from "./rule.ts";

export const sumOfProduct: Rule = (e, { maker }) => {
  if (e.name !== "sum") return undefined;
  const [result] = e.outputs as [(typeof e.outputs)[number]];
  const made = maker(e.inputs[0]!);
  if (made?.name === "neg") {
    const total = symbolLike(result);
    return [
      { ...e, inputs: made.inputs, outputs: [total] },
      { name: "neg", inputs: [total], params: {}, outputs: [result] },
    ];
  }
  if (made?.name !== "mul") return undefined;
  for (const side of [0, 1] as const) {
    const grown = maker(made.inputs[side]!);
    if (grown?.name !== "expand" || !sameShape(grown.inputs[0]!.shape, result.shape)) continue;
    const total = symbolLike(result);
    return [
      { ...e, inputs: [made.inputs[1 - side]!], outputs: [total] },
      { name: "mul", inputs: [total, grown.inputs[0]!], params: {}, outputs: [result] },
    ];
  }
  return undefined;
};
