// Concat without copies: its inputs are written where they belong in the result. What cannot be (a view, an input, a value
// that is a member already) gets a copy equation, which fuses into the group that makes it.
import type { Equation } from "../../../bind.ts";
import { type Program, rewrite } from "../../../passes/program.ts";
import { primitives } from "../../../primitives/table.ts";
import { Tensor } from "../../../tensor.ts";
import type { Layouts } from "./layout.ts";

/** A value is elements start, start + 1, ... of an axis of another. */
export interface Membership {
  readonly whole: Tensor;
  readonly axis: number;
  readonly start: number;
}
export interface Members {
  readonly program: Program;
  readonly memberOf: ReadonlyMap<Tensor, Membership>;
}

/** Kernels that write to any strides. */
const writesAnywhere = (e: Equation | undefined): boolean =>
  e !== undefined && (primitives[e.name].kind === "pointwise" || e.name === "concat");
/** Kernels that write maps whose pixels lie apart. */
const writesMaps = new Set(["conv2d", "convInput", "maxPool", "maxUnpool", "maxGather", "upsample", "sumPool"]);

export function placeMembers(program: Program, layout: Layouts): Members {
  const maker = new Map<Tensor, Equation>();
  for (const e of program.equations) for (const o of e.outputs) maker.set(o, e);
  const kept = new Set(program.updates.values());
  const memberOf = new Map<Tensor, Membership>();
  const fits = (t: Tensor, whole: Tensor, axis: number): boolean => {
    const made = maker.get(t);
    if (!made || memberOf.has(t) || kept.has(t) || layout.of(t) !== layout.of(whole)) return false;
    return writesAnywhere(made) || (axis < 2 && layout.of(whole) === "channelsLast" && writesMaps.has(made.name));
  };
  const copies = new Map<Equation, Equation[]>();
  const rewritten = new Map<Equation, Equation>();
  for (const e of [...program.equations].reverse()) {
    if (e.name !== "concat") continue;
    const whole = e.outputs[0]!;
    const axis = e.params.axis;
    let start = 0;
    const before: Equation[] = [];
    const inputs = e.inputs.map((t, i) => {
      const size = t.shape[axis]!;
      let member = t;
      if (!fits(t, whole, axis) || e.inputs.indexOf(t) < i) {
        member = new Tensor(t.shape, t.dtype, undefined, whole.trace);
        before.push({ name: "copy", inputs: [t], params: {}, outputs: [member] });
      }
      memberOf.set(member, { whole, axis, start });
      start += size;
      return member;
    });
    copies.set(e, before);
    rewritten.set(e, rewrite(e, { inputs }));
  }
  const equations = program.equations.flatMap((e) => [...(copies.get(e) ?? []), rewritten.get(e) ?? e]);
  return { program: { ...program, equations }, memberOf };
}
