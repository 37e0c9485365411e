// Splits off what depends on constants and unwritten Variables alone: it runs again only after one of them has changed.
// This is how re-parameterized kernels are merged once at inference.
import type { Equation } from "../bind.ts";
import type { Tensor } from "../tensor.ts";
import type { Program } from "./program.ts";

export interface Hoisted {
  readonly before: readonly Equation[];
  readonly program: Program;
}

export function hoist(program: Program): Hoisted {
  const still = new Set<Tensor>();
  for (const [variable, symbol] of program.variables) if (!program.updates.has(variable)) still.add(symbol);
  const before: Equation[] = [];
  const rest: Equation[] = [];
  for (const e of program.equations)
    if (e.name !== "hostCall" && e.inputs.every((t) => t.view || still.has(t))) {
      before.push(e);
      for (const o of e.outputs) still.add(o);
    } else rest.push(e);
  return { before, program: { ...program, equations: rest } };
}
