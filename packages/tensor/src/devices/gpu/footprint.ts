// What a plan takes on the device: the most bytes alive at once, and its largest buffer, which adapters limit.
import { MemoryError } from "../../errors.ts";
import type { Root } from "./place.ts";
import type { Plan } from "./plan.ts";

/** Bytes; Variables count only towards the largest buffer. */
export interface Footprint {
  /** Most that is alive at once during a run, new values of Variables included. */
  readonly arena: number;
  /** Held as long as the program: constants, and what only a change of Variables makes anew. */
  readonly program: number;
  readonly largest: number;
  /** What copies run by run. */
  readonly copies: readonly string[];
}
const bytes = ({ size }: Root): number => 4 * size;
const total = (roots: Iterable<Root>): number => [...roots].reduce((sum, root) => sum + bytes(root), 0);

/** Walks the plan as a run does, with sizes alone. */
export function footprintOf(plan: Plan): Footprint {
  const { steps, prologue, frees, kept, constants } = plan;
  const inputs = plan.inputs.map(({ place }) => place.root);
  let [alive, arena] = [0, 0];
  for (const [i, { writes }] of steps.entries()) {
    if (i === prologue) alive += total(inputs);
    alive += total(writes.filter((root) => !kept.has(root)));
    arena = Math.max(arena, alive);
    alive -= total(frees[i]!);
  }
  const variables = [...plan.variables.values()].map(({ place }) => place.root);
  const all = [...inputs, ...variables, ...constants.keys(), ...steps.flatMap(({ writes }) => writes)];
  return {
    arena: Math.max(arena, total(inputs)),
    program: total([...constants.keys(), ...kept]),
    largest: all.reduce((most, root) => Math.max(most, bytes(root)), 0),
    copies: steps.slice(prologue).flatMap(({ name }) => (name === "copy" || name === "assign" ? [name] : [])),
  };
}

/** @throws MemoryError if a buffer is larger than the device allows. */
export function requireBuffers(name: string, { largest }: Footprint, available: number): void {
  if (largest <= available) return;
  throw new MemoryError(name, {
    ...{ needed: largest, available, use: "one buffer" },
    hint: "make batches or pictures smaller, or take device wasm",
  });
}
