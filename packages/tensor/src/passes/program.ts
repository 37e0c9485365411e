// A program: the flat list of equations that a trace gave, with what goes in and comes out. Passes map programs to programs.
import type { Equation } from "../bind.ts";
import type { Tensor } from "../tensor.ts";
import type { Variable } from "../variable.ts";

export interface Program {
  readonly inputs: readonly Tensor[];
  /** Every Variable the program touches, with the symbol of its value at the start. */
  readonly variables: ReadonlyMap<Variable, Tensor>;
  readonly equations: readonly Equation[];
  readonly outputs: readonly Tensor[];
  /** Variables assigned, all at once at the end. */
  readonly updates: ReadonlyMap<Variable, Tensor>;
}
export type Pass = (program: Program) => Program;

/** An equation with other inputs, outputs or another primitive. The caller keeps name and params together. */
export const rewrite = (equation: Equation, change: Partial<Equation>): Equation =>
  ({ ...equation, ...change }) as Equation;

/** An equation whose inputs are replaced; itself where none is. */
export function withInputs(equation: Equation, replace: (t: Tensor) => Tensor): Equation {
  const { inputs } = equation;
  return inputs.some((t) => replace(t) !== t) ? rewrite(equation, { inputs: inputs.map(replace) }) : equation;
}

/** Replaces tensors everywhere; chains of replacements are followed. */
export function substitute(
  program: Program,
  replacements: ReadonlyMap<Tensor, Tensor>,
  equations: readonly Equation[],
): Program {
  const resolve = (t: Tensor): Tensor => {
    let found = t;
    for (let next = replacements.get(found); next; next = replacements.get(found)) found = next;
    return found;
  };
  return {
    ...program,
    equations: equations.map((e) => withInputs(e, resolve)),
    outputs: program.outputs.map(resolve),
    updates: new Map([...program.updates].map(([v, t]) => [v, resolve(t)])),
  };
}

/** The number that a constant repeats (a scalar seen through strides of 0), if it does. */
export const uniform = ({ view, shape }: Tensor): number | undefined =>
  view?.stride.every((s, i) => s === 0 || shape[i] === 1) ? view.data[view.offset] : undefined;
