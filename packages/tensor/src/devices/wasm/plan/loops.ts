// Loops over places of one shape: axes of size 1 drop out, axes that lie one in the other in every place merge.
import type { Place } from "./place.ts";

/** A loop of n turns; each place moves by its stride (floats) per turn. */
export interface Loop {
  readonly n: number;
  readonly strides: readonly number[];
}

/** The axes of a place from the one with the widest stride to the narrowest: how its elements follow in memory. */
export const physicalOrder = ({ shape, strides }: Place): number[] =>
  shape.map((_, axis) => axis).sort((a, b) => Math.abs(strides[b]!) - Math.abs(strides[a]!) || a - b);

/** The fewest loops that visit all elements, outermost first, in the order of the first place; at least one. */
export function loopsOver(places: readonly Place[]): Loop[] {
  const [first] = places;
  const loops: { n: number; strides: number[] }[] = [];
  for (const axis of physicalOrder(first!)) {
    const n = first!.shape[axis]!;
    if (n === 1) continue;
    const strides = places.map((p) => p.strides[axis]!);
    const outer = loops.at(-1);
    if (outer?.strides.every((s, i) => s === strides[i]! * n)) {
      outer.n *= n;
      outer.strides = strides;
    } else loops.push({ n, strides });
  }
  return loops.length > 0 ? loops : [{ n: 1, strides: places.map(() => 0) }];
}
