// What a local rule of algebra sees and answers.
import type { Equation } from "../../bind.ts";
import { Tensor } from "../../tensor.ts";

interface RuleContext {
  /** The equation that made a tensor, as rewritten so far. */
  maker(t: Tensor): Equation | undefined;
}
/** Equations to put in the equation's place, or the tensor its only output equals; undefined: the rule does not apply. */
export type Rule = (equation: Equation, context: RuleContext) => readonly Equation[] | Tensor | undefined;

/** A new symbol like `t`. */
export const symbolLike = (t: Tensor): Tensor => new Tensor(t.shape, t.dtype, undefined, t.trace);
