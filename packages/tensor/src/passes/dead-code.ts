// Drops equations whose outputs nobody needs.
import type { Equation } from "../bind.ts";
import type { Tensor } from "../tensor.ts";
import type { Pass } from "./program.ts";

export const deadCode: Pass = (program) => {
  const live = new Set<Tensor>([...program.outputs, ...program.updates.values()]);
  const kept: Equation[] = [];
  for (const e of [...program.equations].reverse())
    if (e.outputs.some((o) => live.has(o))) {
      kept.push(e);
      for (const t of e.inputs) live.add(t);
    }
  return { ...program, equations: kept.reverse() };
};
