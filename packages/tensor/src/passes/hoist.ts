// Splits off what depends on constants and unwritten Variables alone: it runs again only after one of them has changed.
// This is how re-parameterized kernels are merged once at inference.
import type { Equation } from "../bind.ts";
import type { Program } from "./program.ts";
import { stillValues } from "./still.ts";

export interface Hoisted {
  readonly before: readonly Equation[];
  readonly program: Program;
}

export function hoist(program: Program): Hoisted {
  const still = stillValues(program);
  const early = (e: Equation): boolean => e.outputs.some((o) => still.has(o));
  return {
    before: program.equations.filter(early),
    program: { ...program, equations: program.equations.filter((e) => !early(e)) },
  };
}
