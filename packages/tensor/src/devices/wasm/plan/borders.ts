// Borders of zeros: convolutions read windows that reach over a map's edge in place, so every storage gets the widest
// border that any reader of any map in it wants.
import type { Equation } from "../../../bind.ts";
import type { Program } from "../../../passes/program.ts";
import { type ConvGeometry, convGeometry, type Pair } from "../../../primitives/conv/geometry.ts";
import type { Tensor } from "../../../tensor.ts";
import { type Axis, borderOf, forwardWindow, phaseWindows } from "../windows.ts";
import type { Membership } from "./members.ts";

/** The sizes of a convolution equation. */
export function geometryOf(e: Equation): ConvGeometry {
  const { inputs, params, outputs } = e as Extract<Equation, { name: "conv2d" | "convInput" | "convWeight" }>;
  const x = e.name === "convInput" ? outputs[0]! : inputs[0]!;
  const w = e.name === "convWeight" ? outputs[0]! : inputs[1]!;
  return convGeometry(x.shape, w.shape, params) as ConvGeometry; // checked when it was bound
}

/** The border that the windows of conv2d and convWeight need around x. */
export function inputBorder(g: ConvGeometry): Pair {
  const [rows, columns] = forwardWindow(g);
  return [borderOf([rows], g.H), borderOf([columns], g.W)];
}
/** The border that convInput's windows need around y. */
export function outputBorder(g: ConvGeometry): Pair {
  const windows = phaseWindows(g);
  const axes = (axis: 0 | 1): Axis[] => windows.map((window) => window[axis]);
  return [borderOf(axes(0), g.Ho), borderOf(axes(1), g.Wo)];
}

export interface Borders {
  /** The value whose storage a map lies in. */
  rootOf(t: Tensor): Tensor;
  /** The border of a root's storage. */
  of(root: Tensor): Pair;
}

export function borders(program: Program, memberOf: ReadonlyMap<Tensor, Membership>): Borders {
  const viewed = new Map<Tensor, Tensor>();
  const rootOf = (t: Tensor): Tensor => {
    const whole = memberOf.get(t)?.whole ?? viewed.get(t);
    return whole ? rootOf(whole) : t;
  };
  const wanted = new Map<Tensor, Pair>();
  const want = (t: Tensor, [rows, columns]: Pair): void => {
    const root = rootOf(t);
    const [r, c] = wanted.get(root) ?? [0, 0];
    wanted.set(root, [Math.max(r, rows), Math.max(c, columns)]);
  };
  for (const e of program.equations) {
    const [x, y] = [e.inputs[0]!, e.outputs[0]!];
    if (e.name === "detach" || ((e.name === "split" || e.name === "slice") && e.params.axis < x.rank - 2))
      for (const o of e.outputs) viewed.set(o, x);
    if (x?.rank !== 4 && y.rank !== 4) continue;
    if (e.name === "conv2d" || e.name === "convWeight") want(x, inputBorder(geometryOf(e)));
    if (e.name === "convInput") want(x, outputBorder(geometryOf(e)));
  }
  return { rootOf, of: (root) => wanted.get(root) ?? [0, 0] };
}
