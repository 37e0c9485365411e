// What a training step keeps between its forward and its backward pass: the memory that re-parameterization is about.
import type { Equation } from "../bind.ts";
import { primitives } from "../primitives/table.ts";
import type { Tensor } from "../tensor.ts";
import { fuse, type Item, isGroup } from "./fuse.ts";
import { hoist } from "./hoist.ts";
import { bytes } from "./liveness.ts";
import { optimize } from "./optimize.ts";
import type { Program } from "./program.ts";

/**
 * Bytes that lie in memory when the program's first result (the loss, with which the forward pass ends) has been computed and that are
 * read after it. Inputs count, Variables and constants do not; pointwise values that loops compute again count as little as
 * views do. Values that a device may keep because their next use is near are taken to be computed again, as they are where the
 * forward pass is long: so parts of a network can be looked at alone.
 *
 * @example
 * const w = new Variable(ones([4]));
 * const { program } = trace((x) => { const loss = sum(mul(x, w.value)); w.assign(mul(x, 2)); return loss; }, [ones([4])]);
 * keptBytes(program); // -> 16
 */
export function keptBytes(traced: Program): number {
  const { program } = hoist(optimize(traced));
  const { equations, inputs, outputs } = program;
  const end = equations.findIndex((e) => e.outputs.includes(outputs[0]!));
  const forward = new Set(equations.slice(0, end + 1));
  const items = fuse(program, { layout: () => "", innermost: ({ rank }) => (rank === 4 ? 1 : rank - 1), shortLife: 0 });

  /** What a view looks at. */
  const roots = new Map<Tensor, Tensor>();
  const root = (t: Tensor): Tensor => roots.get(t) ?? t;
  const early = new Set<Tensor>(inputs);
  const kept = new Set<Tensor>();
  for (const item of items) {
    if (!isGroup(item) && isView(item)) for (const t of item.outputs) roots.set(t, root(item.inputs[0]!));
    const made = sinks(item);
    for (const { equation, values } of made)
      if (forward.has(equation)) for (const t of values) if (root(t) === t) early.add(t);
    if (made.every(({ equation }) => forward.has(equation))) continue;
    for (const t of isGroup(item) ? item.leaves : item.inputs) if (early.has(root(t))) kept.add(root(t));
  }
  return [...kept].reduce((sum, t) => sum + bytes(t), 0);
}

/** What an item writes to memory, by the equations that make it. */
function sinks(item: Item): readonly { readonly equation: Equation; readonly values: readonly Tensor[] }[] {
  if (!isGroup(item)) return [{ equation: item, values: item.outputs }];
  const stored = new Set(item.stores);
  const stores = item.equations.filter((e) => stored.has(e.outputs[0]!));
  return [...stores, ...item.reductions].map((equation) => ({ equation, values: equation.outputs }));
}

const isView = ({ name }: Equation): boolean => primitives[name].kind === "view";
