// Movement: views where strides can say it, copies where not.
import type { EquationOf } from "../../../bind.ts";
import {
  expandPlace,
  flipPlace,
  type Place,
  permutePlace,
  reshapePlace,
  rowMajorPlace,
  slicePlace,
} from "../plan/place.ts";
import type { Builder } from "./builder.ts";

/** A view of the only input. */
const view =
  <N extends "expand" | "permute" | "flip" | "slice" | "detach">(see: (p: Place, e: EquationOf<N>) => Place) =>
  (e: EquationOf<N>, b: Builder): void =>
    b.define(e.outputs[0]!, see(b.place(e.inputs[0]!), e));

export const lowerExpand = view<"expand">((p, e) => expandPlace(p, e.params.shape));
export const lowerPermute = view<"permute">((p, e) => permutePlace(p, e.params.order));
export const lowerFlip = view<"flip">((p, e) => flipPlace(p, e.params.axes));
export const lowerDetach = view<"detach">((p) => p);
export const lowerSlice = view<"slice">((p, { params }) =>
  slicePlace(p, params.axis, params.start, params.end, params.step),
);

/** A copy only if the strides of merged axes do not follow from each other. */
export function lowerReshape(e: EquationOf<"reshape">, b: Builder): void {
  const place = b.place(e.inputs[0]!);
  const { shape } = e.params;
  b.define(e.outputs[0]!, reshapePlace(place, shape) ?? rowMajorPlace(b.rowMajor(place).storage, shape));
}

export function lowerSplit(e: EquationOf<"split">, b: Builder): void {
  const place = b.place(e.inputs[0]!);
  let start = 0;
  for (const t of e.outputs) {
    const end = start + t.shape[e.params.axis]!;
    b.define(t, slicePlace(place, e.params.axis, start, end));
    start = end;
  }
}

/** The inputs were written where they belong. */
export function lowerConcat(e: EquationOf<"concat">, b: Builder): void {
  b.use(b.result(e.outputs[0]!));
}

export function lowerPad(e: EquationOf<"pad">, b: Builder): void {
  const source = b.place(e.inputs[0]!);
  const target = b.result(e.outputs[0]!);
  const { axis, before, step } = e.params;
  const n = source.shape[axis]!;
  b.fill(target, 0);
  if (n > 0) b.copy(slicePlace(target, axis, before, before + (n - 1) * step + 1, step), source);
}
