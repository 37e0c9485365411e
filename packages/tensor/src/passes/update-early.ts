// Moves what leads to assignments alone right behind what it waits for: an optimizer's update behind its gradient, and the
// average of a weight behind its update, so that one loop does both. Gradients clipped by their global norm wait for the
// norm: then all updates stay behind the backward pass, but one weight follows the other.
import type { Equation } from "../bind.ts";
import { primitives } from "../primitives/table.ts";
import type { Tensor } from "../tensor.ts";
import type { Pass, Program } from "./program.ts";

export const updateEarly: Pass = (program) => {
  const { equations } = program;
  const late = leadToUpdates(program);
  const reads = lastReads(program, late);
  const makers = new Map<Tensor, number>();
  /** Equations made of what the program is given: they would live long if they came early. */
  const free = new Set<number>();
  /** What a late equation still waits for, and who waits for each equation. */
  const missing = equations.map(() => 0);
  const waiting: number[][] = equations.map(() => []);
  equations.forEach(({ inputs, outputs }, i) => {
    if (late.has(i)) {
      const before = new Set([...inputs.map((t) => makers.get(t)), ...outputs.map((t) => reads.get(t))]);
      for (const at of before)
        if (at !== undefined && !free.has(at)) {
          waiting[at]!.push(i);
          missing[i]!++;
        }
      if (missing[i] === 0) free.add(i);
    }
    for (const t of outputs) makers.set(t, i);
  });

  const order: Equation[] = [];
  const done = new Set<number>();
  /** Runs an equation, with the free ones that it reads before it, and at once what has waited for it alone. */
  const run = (i: number): void => {
    if (done.has(i)) return;
    done.add(i);
    for (const t of equations[i]!.inputs) {
      const maker = makers.get(t);
      if (maker !== undefined && free.has(maker)) run(maker);
    }
    order.push(equations[i]!);
    for (const next of waiting[i]!) if (--missing[next]! === 0) run(next);
  };
  for (const i of equations.keys()) if (!late.has(i)) run(i);
  for (const i of free) run(i);
  return { ...program, equations: order };
};

/** The equations that nothing but assignments reads, directly or not. */
function leadToUpdates({ equations, outputs }: Program): ReadonlySet<number> {
  const needed = new Set<Tensor>(outputs);
  const late = new Set<number>();
  for (let i = equations.length - 1; i >= 0; i--) {
    const e = equations[i]!;
    if (e.name !== "hostCall" && !e.outputs.some((t) => needed.has(t))) late.add(i);
    else for (const t of e.inputs) needed.add(t);
  }
  return late;
}

/** For each assigned value, the last other equation that reads the Variable's old value: after it, memory may be overwritten. */
function lastReads(
  { equations, variables, updates }: Program,
  late: ReadonlySet<number>,
): ReadonlyMap<Tensor, number | undefined> {
  const base = new Map<Tensor, Tensor>();
  const baseOf = (t: Tensor): Tensor => base.get(t) ?? t;
  const last = new Map<Tensor, number>();
  equations.forEach((e, i) => {
    if (primitives[e.name].kind === "view") for (const t of e.outputs) base.set(t, baseOf(e.inputs[0]!));
    if (!late.has(i)) for (const t of e.inputs) last.set(baseOf(t), i);
  });
  return new Map([...updates].map(([variable, t]) => [t, last.get(variables.get(variable)!)]));
}
