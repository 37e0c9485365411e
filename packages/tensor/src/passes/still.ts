// What stays the same from run to run: values that depend on constants and unwritten Variables alone.
import type { Tensor } from "../tensor.ts";
import type { Program } from "./program.ts";

/** The symbols whose value changes only after a Variable has changed from outside. hostCall may be impure and never counts. */
export function stillValues({ variables, updates, equations }: Program): ReadonlySet<Tensor> {
  const still = new Set<Tensor>();
  for (const [variable, symbol] of variables) if (!updates.has(variable)) still.add(symbol);
  for (const e of equations)
    if (e.name !== "hostCall" && e.inputs.every((t) => t.view || still.has(t))) for (const o of e.outputs) still.add(o);
  return still;
}
