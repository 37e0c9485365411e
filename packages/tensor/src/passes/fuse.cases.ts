// What must hold of any fused program: all needed values are computed, each before it is read. For tests of several packages.
import type { Tensor } from "../tensor.ts";
import { type Item, isGroup } from "./fuse.ts";
import { type Program, uniform } from "./program.ts";

/** @throws Error that names the first item which reads what does not lie in memory yet, or a result that is missing. */
export function checkItems(program: Program, items: readonly Item[]): void {
  const memory = new Set<Tensor>([...program.inputs, ...program.variables.values()]);
  const exists = (t: Tensor) => t.view !== undefined || memory.has(t);
  const require = (t: Tensor, reader: string) => {
    if (!exists(t)) throw new Error(`${reader} reads a value that is not there yet: ${t}`);
  };
  items.forEach((item, i) => {
    if (isGroup(item)) {
      const values = new Set<Tensor>(item.leaves);
      for (const t of item.leaves) require(t, `group ${i}`);
      for (const e of [...item.equations, ...item.reductions]) {
        for (const t of e.inputs)
          if (!values.has(t) && uniform(t) === undefined) throw new Error(`group ${i}: ${e.name} reads no leaf: ${t}`);
        for (const o of e.outputs) values.add(o);
      }
      for (const t of [...item.stores, ...item.reductions.flatMap((e) => e.outputs)]) {
        if (!values.has(t)) throw new Error(`group ${i} stores what it does not make: ${t}`);
        if (memory.has(t)) throw new Error(`group ${i} stores again: ${t}`);
        memory.add(t);
      }
    } else {
      for (const t of item.inputs) require(t, item.name);
      for (const o of item.outputs) memory.add(o);
    }
  });
  for (const t of [...program.outputs, ...program.updates.values()]) require(t, "the result");
}
