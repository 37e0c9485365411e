// Loops over several places of one shape: axes of size 1 drop out, axes that lie one in the other in every place merge.
import type { Shape } from "../../../shape.ts";

/** A loop of n turns; every place moves by its stride (floats) per turn. */
export interface Loop {
  readonly n: number;
  readonly strides: readonly number[];
}

/** The fewest loops that visit all elements, in the order in which the first strides fall; at least one. */
export function loopsOver(shape: Shape, places: readonly (readonly number[])[]): Loop[] {
  const order = places[0]!;
  const axes = [...shape.keys()].filter((axis) => shape[axis] !== 1);
  axes.sort((a, b) => Math.abs(order[b]!) - Math.abs(order[a]!) || a - b);
  const loops: { n: number; strides: number[] }[] = [];
  for (const axis of axes) {
    const n = shape[axis]!;
    const strides = places.map((p) => p[axis]!);
    const outer = loops.at(-1);
    if (outer?.strides.every((s, i) => s === strides[i]! * n)) {
      outer.n *= n;
      outer.strides = strides;
    } else loops.push({ n, strides });
  }
  return loops.length > 0 ? loops : [{ n: 1, strides: places.map(() => 0) }];
}
