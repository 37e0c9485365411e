// Moves what leads to assignments alone right behind what it waits for: an optimizer's update behind its gradient, and the
// average of a weight behind its update, so that one loop does both. Gradients clipped by their global norm wait for the
// norm: then all updates stay behind the backward pass, but one weight follows the other.
import type { Equation } from "../bind.ts";
import { primitives } from "../primitives/table.ts";
import { sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import type { Pass, Program } from "./program.ts";

export const updateEarly: Pass = (program) => {
  const { equations } = program;
  const late = leadToUpdates(program);
  const reads = readsBefore(program, late);
  const before = mapsBefore(program, late);
  const views = viewsOfGiven(program);
  const makers = new Map<Tensor, number>();
  /** Equations made of what the program is given: they would live long if they came early. */
  const free = new Set<number>();
  /** What a late equation still waits for, and who waits for each equation. */
  const missing = equations.map(() => 0);
  const waiting: number[][] = equations.map(() => []);
  equations.forEach(({ inputs, outputs }, i) => {
    if (late.has(i)) {
      const made = inputs.map((t) => makers.get(t)).filter((at) => at !== undefined && !free.has(at) && !views.has(at));
      for (const at of new Set([
        ...made,
        ...outputs.flatMap((t) => [...(reads.get(t) ?? []), ...(before.get(t) ?? [])]),
      ])) {
        waiting[at!]!.push(i);
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
      if (maker !== undefined && (free.has(maker) || views.has(maker))) run(maker);
    }
    order.push(equations[i]!);
    for (const next of waiting[i]!) if (--missing[next]! === 0) run(next);
  };
  for (const i of equations.keys()) if (!late.has(i)) run(i);
  // What is left: equations that only each other's turn could free, in the order in which they were given.
  for (const i of equations.keys()) run(i);
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

/** Views of what the program is given: they may run at any time. */
function viewsOfGiven({ equations, inputs, variables }: Program): ReadonlySet<number> {
  const given = new Set<Tensor>([...inputs, ...variables.values()]);
  const views = new Set<number>();
  equations.forEach((e, i) => {
    if (primitives[e.name].kind !== "view" || !e.inputs.every((t) => t.view || given.has(t))) return;
    views.add(i);
    for (const t of e.outputs) given.add(t);
  });
  return views;
}

/**
 * For each assigned value, the other equations that read the Variable's old value: after them, memory may be overwritten. Of those that keep
 * their order the last one, and the late ones that are no part of the assigned value.
 */
function readsBefore(
  { equations, variables, updates }: Program,
  late: ReadonlySet<number>,
): ReadonlyMap<Tensor, readonly number[]> {
  const base = new Map<Tensor, Tensor>();
  const makers = new Map<Tensor, number>();
  const baseOf = (t: Tensor): Tensor => base.get(t) ?? t;
  const last = new Map<Tensor, number>();
  const lateReads = new Map<Tensor, number[]>();
  equations.forEach((e, i) => {
    const view = primitives[e.name].kind === "view";
    for (const t of e.outputs) {
      makers.set(t, i);
      if (view) base.set(t, baseOf(e.inputs[0]!));
    }
    for (const t of e.inputs.map(baseOf))
      if (!late.has(i)) last.set(t, i);
      else if (!view) {
        const known = lateReads.get(t);
        if (known) known.push(i);
        else lateReads.set(t, [i]);
      }
  });
  /** Those of the late readers that are no part of a value: what leads to it is searched until none is left. */
  const apartFrom = (t: Tensor, readers: readonly number[]): readonly number[] => {
    const apart = new Set(readers);
    const tensors = new Set([t]);
    for (const value of tensors) {
      if (apart.size === 0) break;
      const maker = makers.get(value);
      if (maker === undefined || !late.has(maker)) continue;
      apart.delete(maker);
      for (const input of equations[maker]!.inputs) tensors.add(input);
    }
    return [...apart];
  };
  return new Map(
    [...updates].map(([variable, t]) => {
      const old = variables.get(variable)!;
      const others = apartFrom(t, lateReads.get(old) ?? []);
      const at = last.get(old);
      return [t, at === undefined ? others : [at, ...others]];
    }),
  );
}

/**
 * The gradient of a kernel that is larger than its map comes behind that of the map: what that needs is free by then, and a merged
 * kernel dead.
 */
function mapsBefore({ equations }: Program, late: ReadonlySet<number>): ReadonlyMap<Tensor, readonly number[]> {
  const ofMaps = new Map<Tensor, number>();
  for (const [i, { name, inputs }] of equations.entries())
    if (name === "convInput" && !late.has(i)) ofMaps.set(inputs[0]!, i);
  const found = new Map<Tensor, readonly number[]>();
  for (const { name, inputs, outputs } of equations) {
    if (name !== "convWeight" || sizeOf(outputs[0]!.shape) <= sizeOf(inputs[0]!.shape)) continue;
    const at = ofMaps.get(inputs[1]!);
    if (at !== undefined) found.set(outputs[0]!, [at]);
  }
  return found;
}
