// When each value is last used, and how much memory lives at once.
import type { Equation } from "../bind.ts";
import { bytesOf } from "../dtype.ts";
import { primitives } from "../primitives/table.ts";
import type { Tensor } from "../tensor.ts";
import type { Program } from "./program.ts";

/** For each equation, the values that nothing later reads (program outputs and assigned values never die). */
export function lastUses({ equations, outputs, updates }: Program): readonly (readonly Tensor[])[] {
  const kept = new Set<Tensor>([...outputs, ...updates.values()]);
  const last = new Map<Tensor, number>();
  equations.forEach((e, i) => {
    for (const t of [...e.inputs, ...e.outputs]) if (!t.view) last.set(t, i);
  });
  const dying: Tensor[][] = equations.map(() => []);
  for (const [t, i] of last) if (!kept.has(t)) dying[i]!.push(t);
  return dying;
}

export const bytes = (t: Tensor): number => t.size * bytesOf(t.dtype);

/**
 * The largest number of bytes that intermediate values and outputs take at once. Views take none and keep what they
 * look at alive; inputs and Variables are not counted.
 */
export function peakBytes(program: Program): number {
  const given = new Set<Tensor>([...program.inputs, ...program.variables.values()]);
  const roots = new Map<Tensor, Tensor>();
  const users = new Map<Tensor, number>();
  const strided = new Set<Tensor>();
  const root = (t: Tensor): Tensor => roots.get(t) ?? t;
  let now = 0;
  let peak = 0;
  const dying = lastUses(program);
  program.equations.forEach((e, i) => {
    const shares = isView(e, strided);
    for (const o of e.outputs) {
      const at = shares ? root(e.inputs[0]!) : o;
      roots.set(o, at);
      if (shares && e.name !== "reshape" && e.name !== "detach") strided.add(o);
      if (shares && strided.has(e.inputs[0]!)) strided.add(o);
      if (at.view || given.has(at)) continue;
      const n = users.get(at) ?? 0;
      if (n === 0) now += bytes(at);
      users.set(at, n + 1);
    }
    peak = Math.max(peak, now);
    for (const t of dying[i]!) {
      const at = root(t);
      const n = users.get(at);
      if (n === undefined) continue;
      users.set(at, n - 1);
      if (n === 1) now -= bytes(at);
    }
  });
  return peak;
}

/** Movement shares memory, but a reshape of strided data copies. */
const isView = (e: Equation, strided: ReadonlySet<Tensor>): boolean =>
  primitives[e.name].kind === "view" && !(e.name === "reshape" && strided.has(e.inputs[0]!));
