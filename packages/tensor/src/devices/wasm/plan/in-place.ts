// Which assignments may write straight into their Variable: those whose value a group stores, when nothing reads the old
// value after that. All others wait to the end, because assignments are simultaneous.
import type { Equation } from "../../../bind.ts";
import { type Group, type Item, isGroup } from "../../../passes/fuse.ts";
import type { Program } from "../../../passes/program.ts";
import { primitives } from "../../../primitives/table.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Variable } from "../../../variable.ts";
import type { Layouts } from "./layout.ts";
import type { Membership } from "./members.ts";

/** The value that a view looks at, through any number of views. */
export function basesOf(equations: readonly Equation[]): (t: Tensor) => Tensor {
  const seen = new Map<Tensor, Tensor>();
  for (const e of equations)
    if (primitives[e.name].kind === "view") for (const o of e.outputs) seen.set(o, e.inputs[0]!);
  const base = (t: Tensor): Tensor => {
    const next = seen.get(t);
    return next ? base(next) : t;
  };
  return base;
}

/** Values to be stored where their Variables lie. */
export function inPlaceUpdates(
  program: Program,
  items: readonly Item[],
  layout: Layouts,
  memberOf: ReadonlyMap<Tensor, Membership>,
): ReadonlyMap<Tensor, Variable> {
  const base = basesOf(program.equations);
  const storedAt = new Map<Tensor, number>();
  const lastRead = new Map<Tensor, number>();
  const atEnd = items.length;
  for (const [at, item] of items.entries()) {
    for (const t of readsOf(item)) lastRead.set(base(t), at);
    if (isGroup(item)) for (const t of item.stores) storedAt.set(t, at);
  }
  for (const t of program.outputs) lastRead.set(base(t), atEnd);
  const taken = new Set<Tensor>();
  const candidates = [...program.updates].filter(([variable, t]) => {
    const isFirst = !taken.has(t);
    taken.add(t);
    return (
      isFirst && layout.of(t) === "rowMajor" && !memberOf.has(t) && storedAt.has(t) && program.variables.has(variable)
    );
  });
  const chosen = new Set(candidates.map(([variable]) => variable));
  for (const [variable, t] of program.updates) if (!chosen.has(variable)) lastRead.set(base(t), atEnd);
  const inPlace = new Map<Tensor, Variable>();
  for (const [variable, t] of candidates) {
    const at = storedAt.get(t)!;
    const old = program.variables.get(variable)!;
    const group = items[at] as Group; // storedAt holds groups alone
    // In the same group the old value may be read element by element as it lies, but not through a view.
    const twisted = group.leaves.some((leaf) => leaf !== old && base(leaf) === old);
    if ((lastRead.get(old) ?? -1) <= at && !twisted) inPlace.set(t, variable);
  }
  return inPlace;
}

const readsOf = (item: Item): readonly Tensor[] => (isGroup(item) ? item.leaves : item.inputs);
