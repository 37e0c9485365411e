// Pointwise fusion: groups of pointwise equations, and of the sums over their results, that share one loop over memory.
// Batch norm with SiLU becomes two loops forward and two backward by these rules alone. No device is known here: it says
// how tensors lie, and gets loops over them.
import type { Equation } from "../bind.ts";
import { primitives } from "../primitives/table.ts";
import { type Shape, sameShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { type Program, uniform } from "./program.ts";
import { isPointwise, makersOf, storedValues } from "./stored.ts";

/** One loop over all elements of a shape. */
export interface Group {
  readonly kind: "group";
  readonly shape: Shape;
  /** Key of the order in which its values lie. */
  readonly layout: string;
  readonly hoisted: boolean;
  /** Pointwise equations, in an order that can run. */
  readonly equations: readonly Equation[];
  /** Values written to memory, each made by one of the equations. */
  readonly stores: readonly Tensor[];
  /** Equations sum, over a value that the loop makes or reads, and varMean, over one that it reads. All of them keep one and the same axis. */
  readonly reductions: readonly Equation[];
  /** Tensors read, in the order of their first use; constants that repeat one number are none. */
  readonly leaves: readonly Tensor[];
}
/** A loop, or an equation that runs by itself. */
export type Item = Group | Equation;
export const isGroup = (item: Item): item is Group => "kind" in item;

/** Most tensors that a group reads: more pointers spill, and chance neighbours would make ever new kernels. */
export const MAX_LEAVES = 28;

export interface FuseOptions {
  /** Key of the physical order in which a tensor is stored: groups join values of equal shape and layout only. */
  layout(t: Tensor): string;
  /** The axis that lies innermost. */
  innermost(t: Tensor): number;
  /** Equations that run only after a Variable has changed: groups never mix them with others. */
  hoisted?(e: Equation): boolean;
  /** A value dear to recompute is stored if its last use is within so many equations. */
  readonly shortLife?: number;
  /** Most tensors that a group reads: {@link MAX_LEAVES} unless said. */
  readonly maxLeaves?: number;
  /** How many items back a value may join a group. */
  readonly lookBack?: number;
  /** A value used more than once is stored if more equations than this make it. */
  readonly maxCone?: number;
}

interface Draft {
  readonly kind: "draft";
  readonly shape: Shape;
  readonly layout: string;
  readonly hoisted: boolean;
  readonly equations: Set<Equation>;
  readonly stores: Set<Tensor>;
  readonly reductions: Equation[];
  readonly leaves: Set<Tensor>;
}
/** An item and the views of what exists once it has run. */
interface Slot {
  readonly item: Draft | Equation | undefined;
  readonly views: Equation[];
}
const isDraft = (item: Slot["item"]): item is Draft => item !== undefined && "kind" in item;

/**
 * The program as loops and single equations, in an order that can run, the hoisted ones first. Every stored value and
 * every fusable reduction joins the latest group of its shape and layout whose inputs are ready.
 */
export function fuse(
  program: Program,
  {
    layout,
    innermost,
    hoisted = () => false,
    shortLife = 40,
    maxLeaves = MAX_LEAVES,
    lookBack = 12,
    maxCone = 24,
  }: FuseOptions,
): Item[] {
  const reduces = (e: Equation): boolean => fitsLoop(e, innermost);
  // One pass gives an accurate variance only about a first guess of the mean, an element of a value that lies there already.
  const takesComputed = (e: Equation): boolean => e.name === "sum" && reduces(e);
  const stored = storedValues(program, { reduces: takesComputed, hoisted, shortLife, maxLeaves, maxCone });
  const makers = makersOf(program);
  const slots: Slot[] = [{ item: undefined, views: [] }];
  /** The slot after which a value exists; what the program is given exists after the first. */
  const ready = new Map<Tensor, number>();
  const readyAt = (t: Tensor): number => ready.get(t) ?? 0;
  const append = (item: Draft | Equation): number => slots.push({ item, views: [] }) - 1;
  /** What a value to be assigned replaces, and the last slot that reads it: a later one may write where it lies. */
  const replaced = new Map([...program.updates].map(([variable, t]) => [t, program.variables.get(variable)]));
  const seen = new Map<Tensor, Tensor>();
  const lastRead = new Map<Tensor | undefined, number>();
  const read = (t: Tensor, at: number): void => {
    const base = seen.get(t) ?? t;
    lastRead.set(base, Math.max(at, lastRead.get(base) ?? 0));
  };

  /** Adds `sink`, which makes or sums `value`, to a group. */
  const place = (sink: Equation, value: Tensor): void => {
    const { equations, leaves } = expression(sink, (t) => (stored.has(t) ? undefined : makers.get(t)));
    const key = layout(value);
    const early = hoisted(sink);
    const first = isPointwise(sink) ? (lastRead.get(replaced.get(value)) ?? 0) : 0;
    const fits = ({ item }: Slot, at: number): boolean => {
      if (!isDraft(item) || item.hoisted !== early || item.layout !== key || !sameShape(item.shape, value.shape))
        return false;
      const [other] = item.reductions;
      if (other && !isPointwise(sink) && keptAxis(other) !== keptAxis(sink)) return false;
      let count = item.leaves.size;
      for (const t of leaves) {
        if (item.stores.has(t) && sink.name !== "varMean") continue;
        if (readyAt(t) >= at) return false;
        if (!item.leaves.has(t)) count++;
      }
      return count <= maxLeaves;
    };
    let at = slots.length - 1;
    const end = Math.max(0, first - 1, at - lookBack);
    while (at > end && !fits(slots[at]!, at)) at--;
    if (at === end)
      at = append({
        kind: "draft",
        shape: value.shape,
        layout: key,
        hoisted: early,
        equations: new Set(),
        stores: new Set(),
        reductions: [],
        leaves: new Set(),
      });
    const group = slots[at]!.item as Draft;
    for (const e of equations) group.equations.add(e);
    for (const t of leaves) {
      read(t, at);
      if (!group.stores.has(t)) group.leaves.add(t);
    }
    if (isPointwise(sink)) group.stores.add(value);
    else group.reductions.push(sink);
    for (const o of sink.outputs) ready.set(o, at);
  };

  for (const e of program.equations) {
    if (isPointwise(e)) {
      if (stored.has(e.outputs[0]!)) place(e, e.outputs[0]!);
    } else if (reduces(e)) place(e, e.inputs[0]!);
    else {
      // Movement that mostly costs nothing goes right behind what it looks at, so that groups there can read it.
      const view = primitives[e.name].kind === "view";
      const at = view ? readyAt(e.inputs[0]!) : append(e);
      if (view) slots[at]!.views.push(e);
      for (const t of e.inputs)
        if (!view) read(t, at);
        else for (const o of e.outputs) seen.set(o, seen.get(t) ?? t);
      for (const o of e.outputs) ready.set(o, at);
    }
  }
  return finish(program, slots, hoisted);
}

/** The pointwise equations that compute a sink, itself included, down to what `recomputed` has no equation for. */
export function expression(
  sink: Equation,
  recomputed: (t: Tensor) => Equation | undefined,
): { equations: Equation[]; leaves: Tensor[] } {
  const cone = new Set([sink]);
  const leaves = new Set<Tensor>();
  for (const e of cone)
    for (const t of e.inputs) {
      const maker = recomputed(t);
      if (maker && isPointwise(maker)) cone.add(maker);
      else if (uniform(t) === undefined) leaves.add(t);
    }
  return { equations: [...cone].filter(isPointwise), leaves: [...leaves] };
}

/** The only axis that a reduction keeps; axes of size 1 count as reduced. */
export function keptAxis(e: Equation): number | undefined {
  if (e.name !== "sum" && e.name !== "varMean") return undefined;
  const { shape } = e.inputs[0]!;
  const kept = [...shape.keys()].filter((axis) => shape[axis] !== 1 && !e.params.axes.includes(axis));
  return kept.length === 1 ? kept[0] : undefined;
}

/** Sums that keep the outermost axis run in the loop over it if there are so many: threads share them. */
const LEAST_ROWS = 16;

/** Whether a reduction keeps exactly the axis that lies innermost, so that the loop adds whole vectors, or a sum the outermost one. */
function fitsLoop(e: Equation, innermost: (t: Tensor) => number): boolean {
  const kept = keptAxis(e);
  if (kept === undefined) return false;
  const t = e.inputs[0]!;
  if (kept === innermost(t)) return true;
  return e.name === "sum" && t.shape[kept]! >= LEAST_ROWS && t.shape.findIndex((n) => n > 1) === kept;
}

/** Drafts as groups. What only its own group reads is not stored. */
function finish(program: Program, slots: readonly Slot[], hoisted: (e: Equation) => boolean): Item[] {
  const order = new Map(program.equations.map((e, i) => [e, i]));
  const read = new Set<Tensor>([...program.outputs, ...program.updates.values()]);
  for (const { item, views } of slots) {
    for (const t of isDraft(item) ? item.leaves : (item?.inputs ?? [])) read.add(t);
    for (const view of views) for (const t of view.inputs) read.add(t);
  }
  const items = slots.flatMap(({ item, views }): Item[] => {
    if (!isDraft(item)) return item ? [item, ...views] : views;
    const equations = [...item.equations].sort((a, b) => order.get(a)! - order.get(b)!);
    const stores = [...item.stores].filter((t) => read.has(t));
    const inputs = new Set([...equations, ...item.reductions].flatMap((e) => e.inputs));
    const leaves = [...inputs].filter((t) => item.leaves.has(t));
    return [{ ...item, kind: "group", equations, stores, leaves }, ...views];
  });
  const early = (item: Item): boolean => (isGroup(item) ? item.hoisted : hoisted(item));
  return [...items.filter(early), ...items.filter((item) => !early(item))];
}
