// Lowering of sum, amax, amin and varMean where no fused group computes them.
import { sizeOf } from "../../../shape.ts";
import type { FoldName } from "../kernels/reduce.ts";
import { type Loop, loopsOver } from "../plan/loops.ts";
import { addressOf, type Place, slicePlace } from "../plan/place.ts";
import { accumulators } from "../steps/reduce.ts";
import { atLeast } from "../steps/walk.ts";
import type { Builder, Lowering } from "./builder.ts";

/** With at least so many results, threads share results rather than elements. */
const MANY = 128;
/** Elements of a part at least, and parts at most: fixed by the shape, so that sums do not depend on threads. */
const PART = 4096;
const PARTS = 32;
/** Fewer elements than this are not worth waking another thread. */
const SMALL = 8192;

/** So few elements of each of many results are united as operands of one fused loop. */
const FEW = 16;
const UNITED: Partial<Record<FoldName, "add" | "maximum" | "minimum">> = { sum: "add", max: "maximum", min: "minimum" };

const EMPTY: Record<FoldName, number> = {
  sum: 0,
  max: Number.NEGATIVE_INFINITY,
  min: Number.POSITIVE_INFINITY,
  moments: Number.NaN,
};
/** Loops whose strides are bytes. */
export const inBytes = (loops: readonly Loop[]): Loop[] =>
  loops.map(({ n, strides }) => ({ n, strides: strides.map((s) => 4 * s) }));

/** For every index along the axes, what lies there: places with size 1 along them. */
const elementsOf = (x: Place, axes: readonly number[]): Place[] =>
  axes.reduce<Place[]>(
    (places, axis) =>
      places.flatMap((p) => Array.from({ length: p.shape[axis]! }, (_, i) => slicePlace(p, axis, i, i + 1))),
    [x],
  );

/** y (and mean) = x folded over `axes`, which both have with size 1. */
export function reduce(b: Builder, fold: FoldName, x: Place, axes: readonly number[], y: Place, mean?: Place): void {
  const targets = mean ? [y, mean] : [y];
  const count = sizeOf(axes.map((axis) => x.shape[axis]!));
  if (sizeOf(y.shape) === 0) return;
  if (count === 0) {
    for (const target of targets) b.fill(target, EMPTY[fold]);
    return;
  }
  const united = UNITED[fold];
  if (united && count <= FEW && sizeOf(y.shape) >= SMALL / 8) {
    b.unite(united, y, elementsOf(x, axes));
    return;
  }
  const keptAxes = [...x.shape.keys()].filter((axis) => !axes.includes(axis));
  const pick = (list: readonly number[], from: readonly number[]) => from.map((axis) => list[axis]!);
  const strides = [x, y, mean ?? y].map((p) => pick(p.strides, keptAxes));
  const kept = atLeast(inBytes(loopsOver(pick(x.shape, keptAxes), strides)), 2);
  const reduced = atLeast(inBytes(loopsOver(pick(x.shape, axes), [pick(x.strides, axes)])), 2);
  const cells = sizeOf(y.shape);
  const longest = Math.max(...reduced.map(({ n }) => n));
  const parts = cells >= MANY ? 1 : Math.min(PARTS, longest, Math.ceil((cells * count) / PART));
  const partials = parts > 1 ? b.scratch([parts * accumulators(fold) * cells * 2]) : undefined;
  const results = () => ({
    ...{ fold, kept, count, parts },
    ...{
      x: addressOf(x),
      y: addressOf(y),
      mean: mean ? addressOf(mean) : 0,
      partials: partials ? addressOf(partials) : 0,
    },
  });
  const serial = cells * count < SMALL;
  const cut = reduced.findIndex(({ n }) => n === longest);
  const outputs = targets.map(({ storage }) => storage);
  b.step({ reads: [x.storage], writes: partials ? [partials.storage] : outputs }, () => ({
    ...results(),
    ...{ op: "reduce", reduced, cut, serial },
  }));
  if (partials)
    b.step({ reads: [x.storage, partials.storage], writes: outputs }, () => ({
      ...results(),
      ...{ op: "reduceEnd", serial: true },
    }));
}

type Reducing = "sum" | "amax" | "amin" | "varMean";
const lowering =
  (fold: FoldName): Lowering<Reducing> =>
  ({ inputs, params, outputs }, b) => {
    const [y, mean] = outputs.map((t) => b.result(t));
    reduce(b, fold, b.place(inputs[0]!), params.axes, y!, mean);
  };

export const reduceLowerings = {
  sum: lowering("sum"),
  amax: lowering("max"),
  amin: lowering("min"),
  varMean: lowering("moments"),
};
