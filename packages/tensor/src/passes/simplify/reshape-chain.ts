// reshape(reshape(x)) = reshape(x), and x itself if the shape is x's again.
import { sameShape } from "../../shape.ts";
import { rewrite } from "../program.ts";
import type { Rule } from "./rule.ts";

export const reshapeChain: Rule = (e, { maker }) => {
  if (e.name !== "reshape") return undefined;
  const inner = maker(e.inputs[0]!);
  if (inner?.name !== "reshape") return undefined;
  const source = inner.inputs[0]!;
  return sameShape(source.shape, e.params.shape) ? source : [rewrite(e, { inputs: [source] })];
};
