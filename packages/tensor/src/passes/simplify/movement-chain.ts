// Movement of movement is one movement: permute of permute, expand of expand, slice of slice, flip of flip; and none at all
// where it changes nothing.
import type { Equation } from "../../bind.ts";
import { type Shape, sameShape } from "../../shape.ts";
import { rewrite } from "../program.ts";
import type { Rule } from "./rule.ts";

export const movementChain: Rule = (e, { maker }) => {
  const [x] = e.inputs;
  if (!x || isNone(e, x.shape)) return x;
  const inner = maker(x);
  if (inner?.name !== e.name) return undefined;
  const inputs = inner.inputs;
  switch (e.name) {
    case "expand":
      return [rewrite(e, { inputs })];
    case "permute": {
      const { order } = (inner as typeof e).params;
      return [{ ...e, inputs, params: { order: e.params.order.map((axis) => order[axis]!) } }];
    }
    case "flip": {
      const first = (inner as typeof e).params.axes;
      const { axes } = e.params;
      const once = [...first.filter((axis) => !axes.includes(axis)), ...axes.filter((axis) => !first.includes(axis))];
      return [{ ...e, inputs, params: { axes: once } }];
    }
    case "slice": {
      const { axis, start, step } = (inner as typeof e).params;
      const { params } = e;
      if (params.axis !== axis) return undefined;
      const at = (i: number) => start + i * step;
      const n = e.outputs[0]!.shape[axis]!;
      // One behind the last element, as far as there is one.
      const end = n === 0 ? at(params.start) : at(params.start + (n - 1) * params.step) + 1;
      return [{ ...e, inputs, params: { axis, start: at(params.start), end, step: step * params.step } }];
    }
    default:
      return undefined;
  }
};

/** Whether a movement leaves everything where it is. */
function isNone(e: Equation, shape: Shape): boolean {
  switch (e.name) {
    case "expand":
    case "reshape":
      return sameShape(shape, e.params.shape);
    case "permute":
      return e.params.order.every((axis, i) => axis === i);
    case "flip":
      return e.params.axes.every((axis) => shape[axis]! <= 1);
    case "slice":
      return e.params.step === 1 && sameShape(shape, e.outputs[0]!.shape);
    case "pad":
      return e.params.before === 0 && e.params.after === 0 && (e.params.step === 1 || shape[e.params.axis]! <= 1);
    case "split":
      return e.params.sizes.length === 1;
    case "concat":
      return e.inputs.length === 1;
    default:
      return false;
  }
}
