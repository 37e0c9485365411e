// Which values lie channels last (N, H, W, C in memory) and which row-major. Convolutions and pools want channels last; the
// wish spreads through pointwise equations, concat, split and merged or cut image axes. Logical shapes stay as they are.
import type { Equation } from "../../../bind.ts";
import type { Program } from "../../../passes/program.ts";
import { primitives } from "../../../primitives/table.ts";
import type { Tensor } from "../../../tensor.ts";

type Layout = "channelsLast" | "rowMajor";
export interface Layouts {
  of(t: Tensor): Layout;
  /** The axis that lies innermost. */
  innermost(t: Tensor): number;
}

/** Primitives whose kernels want maps to lie channels last. */
const seeds = new Set([
  "conv2d",
  "convInput",
  "convWeight",
  "maxPool",
  "maxUnpool",
  "maxGather",
  "upsample",
  "sumPool",
]);

/** Values whose physical order is the same in both layouts may be either. */
const canBeMap = ({ shape }: Tensor): boolean => shape.length === 3 || shape.length === 4;
const isVector = ({ shape }: Tensor): boolean =>
  shape.filter((n) => n !== 1).length <= 1 && !shape.slice(2).some((n) => n !== 1);

/** The maps among such an equation's operands and results. */
function mapsOf({ name, inputs, outputs }: Equation): readonly Tensor[] {
  switch (name) {
    case "conv2d":
    case "convInput":
      return [inputs[0]!, outputs[0]!];
    case "convWeight":
      return inputs;
    default:
      return [...inputs, ...outputs];
  }
}

export function layouts({ equations }: Program): Layouts {
  const parent = new Map<Tensor, Tensor>();
  const find = (t: Tensor): Tensor => {
    let root = t;
    for (let next = parent.get(root); next; next = parent.get(root)) root = next;
    for (let at = t; at !== root; ) {
      const next = parent.get(at)!;
      parent.set(at, root);
      at = next;
    }
    return root;
  };
  const join = (a: Tensor, b: Tensor): void => {
    const [x, y] = [find(a), find(b)];
    if (x !== y) parent.set(x, y);
  };
  const seeded: Tensor[] = [];
  for (const e of equations) {
    const [x, y] = [e.inputs[0]!, e.outputs[0]!];
    if (seeds.has(e.name)) seeded.push(...mapsOf(e));
    if (e.name === "split" || e.name === "concat") for (const t of [...e.inputs, ...e.outputs]) join(t, y);
    else if (e.name === "reshape" && canBeMap(x) && canBeMap(y) && sameImages(x, y)) join(x, y);
    else if (e.name === "detach") join(x, y);
    else if (primitives[e.name].kind === "pointwise") for (const t of e.inputs) if (!t.view) join(t, y);
  }
  const wished = new Set(seeded.map(find));
  const of = (t: Tensor): Layout => (canBeMap(t) && !isVector(t) && wished.has(find(t)) ? "channelsLast" : "rowMajor");
  return { of, innermost: (t) => (of(t) === "channelsLast" ? 1 : t.rank - 1) };
}

/** Whether a reshape keeps images and channels apart: [N, C, H, W] to [N, C, H W] or back. */
const sameImages = (x: Tensor, y: Tensor): boolean => x.shape[0] === y.shape[0] && x.shape[1] === y.shape[1];
