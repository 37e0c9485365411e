// Which pointwise values lie in memory; all others are recomputed, in registers, from those that do. Stored is
// 1. what leaves the program or is read by an equation that is no part of a loop (a view also needs its input in memory);
// 2. what is dear to compute and used again soon: a short life costs no memory;
// 3. what would make loops too wide (too many operands) or be recomputed at too many equations a time.
import type { Equation } from "../bind.ts";
import { type PrimitiveName, primitives } from "../primitives/table.ts";
import type { Tensor } from "../tensor.ts";
import { type Program, uniform } from "./program.ts";

interface StoreOptions {
  /** Whether an equation that is not pointwise can run inside the loop that makes its input. */
  reduces(e: Equation): boolean;
  hoisted(e: Equation): boolean;
  /** A dear value whose last use is within so many equations is stored. */
  readonly shortLife: number;
  /** Most tensors that an expression reads. */
  readonly maxLeaves: number;
  /** A value made by more equations than this is stored if it is used more than once. */
  readonly maxCone: number;
}

const dearNames: ReadonlySet<PrimitiveName> = new Set(["exp", "log", "sigmoid", "sin", "cos", "atan", "pow"]);

export const isPointwise = (e: Equation): boolean => primitives[e.name].kind === "pointwise";

/** The equation that makes each value. */
export function makersOf({ equations }: Program): ReadonlyMap<Tensor, Equation> {
  const makers = new Map<Tensor, Equation>();
  for (const e of equations) for (const o of e.outputs) makers.set(o, e);
  return makers;
}

/** The pointwise values that lie in memory. */
export function storedValues(program: Program, options: StoreOptions): ReadonlySet<Tensor> {
  const { hoisted, shortLife, maxLeaves, maxCone } = options;
  const makers = makersOf(program);
  const uses = usesOf(program, options);
  const stored = new Set<Tensor>([...program.outputs, ...program.updates.values()]);
  const recomputed = (t: Tensor): Equation | undefined => {
    const maker = makers.get(t);
    return maker && isPointwise(maker) && !stored.has(t) ? maker : undefined;
  };

  /** What the expression of a pointwise value reads. */
  const leaves = new Map<Tensor, ReadonlySet<Tensor>>();
  const union = (e: Equation): ReadonlySet<Tensor> => {
    const all = new Set<Tensor>();
    for (const t of e.inputs)
      if (recomputed(t)) for (const leaf of leaves.get(t)!) all.add(leaf);
      else if (uniform(t) === undefined) all.add(t);
    return all;
  };
  /** Stores inputs, the widest first, until the expression fits into one loop. */
  const narrow = (e: Equation): ReadonlySet<Tensor> => {
    for (;;) {
      const all = union(e);
      if (all.size <= maxLeaves) return all;
      const [widest] = e.inputs.filter(recomputed).sort((a, b) => leaves.get(b)!.size - leaves.get(a)!.size);
      if (!widest) return all;
      stored.add(widest);
    }
  };
  const large = (e: Equation): boolean => {
    const cone = new Set([e]);
    for (const member of cone) {
      if (cone.size > maxCone) return true;
      for (const t of member.inputs) {
        const maker = recomputed(t);
        if (maker) cone.add(maker);
      }
    }
    return false;
  };

  const dear = new Set<Tensor>();
  program.equations.forEach((e, at) => {
    if (!isPointwise(e)) return;
    const y = e.outputs[0]!;
    leaves.set(y, narrow(e));
    if (dearNames.has(e.name) || e.inputs.some((t) => recomputed(t) && dear.has(t))) dear.add(y);
    const use = uses.get(y);
    if (!use) return;
    const again = use.count > 1 && ((dear.has(y) && use.last - at < shortLife) || large(e));
    if (again || use.outside || (hoisted(e) && use.later)) stored.add(y);
  });
  return stored;
}

interface Use {
  /** Equations that read the value. */
  count: number;
  /** Index of the last of them. */
  last: number;
  /** Read by an equation that is no part of a loop. */
  outside: boolean;
  /** Read by an equation that is not hoisted. */
  later: boolean;
}

function usesOf({ equations }: Program, { reduces, hoisted }: StoreOptions): ReadonlyMap<Tensor, Use> {
  const uses = new Map<Tensor, Use>();
  equations.forEach((e, at) => {
    const outside = !isPointwise(e) && !reduces(e);
    const later = !hoisted(e);
    for (const t of e.inputs) {
      let use = uses.get(t);
      if (!use) {
        use = { count: 0, last: -1, outside: false, later: false };
        uses.set(t, use);
      }
      if (use.last !== at) use.count++;
      use.last = at;
      use.outside ||= outside;
      use.later ||= later;
    }
  });
  return uses;
}
