// What `compile` collects while the user's function runs once on symbols.
import { type Equation, observe, withTrace } from "./bind.ts";
import type { Tensor } from "./tensor.ts";
import type { Variable } from "./variable.ts";

/** The equations of one run on symbols, and the Variables it read and wrote. */
export class Trace {
  readonly equations: Equation[] = [];
  readonly reads = new Map<Variable, Tensor>();
  readonly writes = new Map<Variable, Tensor>();

  /** Runs `fn`, recording every equation with a symbol in it; equations of constants are folded as they run. */
  record<T>(fn: () => T): T {
    return withTrace(this, () =>
      observe((equation) => {
        if (equation.outputs.some((o) => !o.view)) this.equations.push(equation);
      }, fn),
    );
  }
}
