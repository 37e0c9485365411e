// Public movement ops: views of other shapes, pieces and joins. Dimensions may be negative.
import { bind } from "../bind.ts";
import { full } from "../creation.ts";
import { OpError } from "../errors.ts";
import { normalizeAxes, normalizeAxis, type Shape, sameShape, showShape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";

/** Another shape for the same row-major elements; one size may be -1 and is worked out. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const rest = shape.reduce((n, s) => (s === -1 ? n : n * s), 1);
  const full = shape.map((s) => (s === -1 ? x.size / rest : s));
  if (shape.filter((s) => s === -1).length > 1 || full.some((s) => !Number.isInteger(s) || s < 0))
    throw new OpError("reshape", `a shape of ${x.size} elements`, showShape(shape), `from ${showShape(x.shape)}`);
  return sameShape(full, x.shape) ? x : bind("reshape", [x], { shape: full })[0]!;
}

/** Repeats axes of size 1 (and missing leading axes) to `shape`. */
export function expand(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  if (x.rank > shape.length)
    throw new OpError("expand", `a shape that fits ${showShape(shape)}`, showShape(x.shape), "it has more axes");
  const padded = [...new Array<number>(shape.length - x.rank).fill(1), ...x.shape];
  return bind("expand", [reshape(x, padded)], { shape: [...shape] })[0]!;
}

/** Axes in another order: axis i of the result is axis `order[i]` of x. */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  const axes = order.map((d) => normalizeAxis("permute", d, x.rank));
  return axes.every((d, i) => d === i) && axes.length === x.rank ? x : bind("permute", [x], { order: axes })[0]!;
}

/** Two axes exchanged (by default the last two). */
export function transpose(x: Tensor, dim0 = -2, dim1 = -1): Tensor {
  const order = [...x.shape.keys()];
  const a = normalizeAxis("transpose", dim0, x.rank);
  const b = normalizeAxis("transpose", dim1, x.rank);
  order[a] = b;
  order[b] = a;
  return permute(x, order);
}

/** Removes axes of size 1: all of them, or the given one if it has size 1. */
export function squeeze(x: Tensor, dim?: number): Tensor {
  const axes = normalizeAxes("squeeze", dim, x.rank);
  return reshape(
    x,
    x.shape.filter((n, i) => n !== 1 || !axes.includes(i)),
  );
}

/** Adds an axis of size 1 at `dim`. */
export function unsqueeze(x: Tensor, dim: number): Tensor {
  const axis = normalizeAxis("unsqueeze", dim, x.rank + 1);
  return reshape(x, [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)]);
}

/** Merges the axes `start` to `end` into one. */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  if (x.rank === 0) return reshape(x, [1]);
  const a = normalizeAxis("flatten", start, x.rank);
  const b = normalizeAxis("flatten", end, x.rank);
  return reshape(x, [...x.shape.slice(0, a), sizeOf(x.shape.slice(a, b + 1)), ...x.shape.slice(b + 1)]);
}

/** `start`, `start + step`, ... below `end` of one axis; negative bounds count from the end, bounds are clipped. */
export function slice(x: Tensor, dim: number, start = 0, end = Number.POSITIVE_INFINITY, step = 1): Tensor {
  const axis = normalizeAxis("slice", dim, x.rank);
  const n = x.shape[axis]!;
  const clip = (i: number) => Math.min(n, Math.max(0, i < 0 ? i + n : i));
  const from = clip(start);
  const to = Math.max(from, clip(end));
  return from === 0 && to === n && step === 1 ? x : bind("slice", [x], { axis, start: from, end: to, step })[0]!;
}

/** One entry of an axis, which goes away. */
export function select(x: Tensor, dim: number, index: number): Tensor {
  const axis = normalizeAxis("select", dim, x.rank);
  const n = x.shape[axis]!;
  const i = index < 0 ? index + n : index;
  if (i < 0 || i >= n)
    throw new OpError(
      "select",
      `an index between ${-n} and ${n - 1}`,
      String(index),
      `axis ${axis} of ${showShape(x.shape)}`,
    );
  return reshape(
    slice(x, axis, i, i + 1),
    x.shape.filter((_, k) => k !== axis),
  );
}

/** Pieces of an axis, of the given sizes or of one size (the last piece may be smaller). */
export function split(x: Tensor, sizes: number | readonly number[], dim = 0): Tensor[] {
  const axis = normalizeAxis("split", dim, x.rank);
  const n = x.shape[axis]!;
  const list =
    typeof sizes === "number"
      ? Array.from({ length: Math.ceil(n / sizes) }, (_, i) => Math.min(sizes, n - i * sizes))
      : [...sizes];
  return list.length === 1 && list[0] === n ? [x] : bind("split", [x], { axis, sizes: list });
}

/** `n` pieces of an axis, as equal as possible. */
export const chunk = (x: Tensor, n: number, dim = 0): Tensor[] =>
  split(x, Math.ceil(x.shape[normalizeAxis("chunk", dim, x.rank)]! / n), dim);

/** Tensors one after the other along an axis. */
export function concat(xs: readonly Tensor[], dim = 0): Tensor {
  const [first] = xs;
  if (!first) throw new OpError("concat", "at least one tensor", "none");
  return xs.length === 1 ? first : bind("concat", xs, { axis: normalizeAxis("concat", dim, first.rank) })[0]!;
}

/** Tensors of one shape along a new axis. */
export const stack = (xs: readonly Tensor[], dim = 0): Tensor =>
  concat(
    xs.map((x) => unsqueeze(x, dim)),
    dim,
  );

/** Axes backwards. */
export const flip = (x: Tensor, dim: number | readonly number[]): Tensor =>
  bind("flip", [x], { axes: normalizeAxes("flip", dim, x.rank) })[0]!;

/** `value` before and after the elements of one axis. */
export function pad(x: Tensor, dim: number, before: number, after: number, value = 0): Tensor {
  const axis = normalizeAxis("pad", dim, x.rank);
  if (before === 0 && after === 0) return x;
  if (value === 0) return bind("pad", [x], { axis, before, after, step: 1 })[0]!;
  const border = (n: number) =>
    full(
      x.shape.map((m, i) => (i === axis ? n : m)),
      value,
      { dtype: x.dtype },
    );
  return concat([border(before), x, border(after)], axis);
}
