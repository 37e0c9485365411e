// Applies the local rules of algebra, front to back, until none fits.
import type { Equation } from "../../bind.ts";
import { Tensor } from "../../tensor.ts";
import { type Pass, substitute, withInputs } from "../program.ts";
import { concatOfSplit } from "./concat-of-split.ts";
import { identities } from "./identities.ts";
import { movementChain } from "./movement-chain.ts";
import { reshapeChain } from "./reshape-chain.ts";
import type { Rule } from "./rule.ts";
import { signs } from "./signs.ts";
import { sumOfProduct } from "./sum-of-product.ts";

const rules: readonly Rule[] = [identities, signs, movementChain, reshapeChain, concatOfSplit, sumOfProduct];

export const simplify: Pass = (program) => {
  const replacements = new Map<Tensor, Tensor>();
  const makers = new Map<Tensor, Equation>();
  const done: Equation[] = [];
  const context = { maker: (t: Tensor) => makers.get(t) };
  const replace = (t: Tensor): Tensor => replacements.get(t) ?? t;
  const visit = (raw: Equation): void => {
    const e = withInputs(raw, replace);
    for (const rule of rules) {
      const answer = rule(e, context);
      if (!answer) continue;
      if (answer instanceof Tensor) replacements.set(e.outputs[0]!, answer);
      else answer.forEach(visit);
      return;
    }
    for (const o of e.outputs) makers.set(o, e);
    done.push(e);
  };
  program.equations.forEach(visit);
  return substitute(program, replacements, done);
};
