// Public ops with indices: gather and its adjoint, sorting, and a TypeScript function in the middle of a program.
import { bind } from "../bind.ts";
import { OpError } from "../errors.ts";
import { normalizeAxis, type Shape, showShape } from "../shape.ts";
import type { Concrete, Tensor, TensorSpec } from "../tensor.ts";
import { cast } from "./pointwise.ts";
import { expand, reshape, select, slice } from "./shape.ts";

/** out[.., i, ..] = x[.., index[.., i, ..], ..] along `dim`; `index` (int32) has x's shape but for that axis. */
export const gather = (x: Tensor, dim: number, index: Tensor): Tensor =>
  bind("gather", [x, cast(index, "int32")], { axis: normalizeAxis("gather", dim, x.rank) })[0]!;

/** Zeros with y added at `index` along `dim`, which gets `size` entries: the adjoint of gather. */
export const scatterAdd = (y: Tensor, dim: number, index: Tensor, size: number): Tensor =>
  bind("scatterAdd", [y, cast(index, "int32")], { axis: normalizeAxis("scatterAdd", dim, y.rank), size })[0]!;

/** Entries of an axis, in the order of a one-axis index. */
export function indexSelect(x: Tensor, dim: number, index: Tensor): Tensor {
  const axis = normalizeAxis("indexSelect", dim, x.rank);
  if (index.rank !== 1) throw new OpError("indexSelect", "an index of one axis", showShape(index.shape));
  const shape: Shape = x.shape.map((n, i) => (i === axis ? index.size : n));
  const aligned = reshape(
    index,
    x.shape.map((_, i) => (i === axis ? index.size : 1)),
  );
  return gather(x, axis, expand(aligned, shape));
}

/** Indices (int32) that sort an axis; equal elements keep their order. */
export const argsort = (x: Tensor, dim = -1, { descending = false }: { readonly descending?: boolean } = {}): Tensor =>
  bind("argsort", [x], { axis: normalizeAxis("argsort", dim, x.rank), descending })[0]!;

/** An axis in order, with the indices it came from. */
export function sort(
  x: Tensor,
  dim = -1,
  options: { readonly descending?: boolean } = {},
): { values: Tensor; indices: Tensor } {
  const indices = argsort(x, dim, options);
  return { values: gather(x, dim, indices), indices };
}

/** The k largest entries of an axis, largest first. */
export function topk(x: Tensor, k: number, dim = -1): { values: Tensor; indices: Tensor } {
  const indices = slice(argsort(x, dim, { descending: true }), dim, 0, k);
  return { values: gather(x, dim, indices), indices };
}

/** Index (int32) of the first largest entry of an axis, which goes away. */
export const argmax = (x: Tensor, dim = -1): Tensor => select(argsort(x, dim, { descending: true }), dim, 0);

/**
 * Runs a TypeScript function on concrete tensors in the middle of a program. No gradient flows through it. The inputs are
 * its own during the call only (their memory is used again): copy what is to be kept.
 * @throws OpError if the function returns other shapes or dtypes than declared.
 */
export const hostCall = (
  inputs: readonly Tensor[],
  fn: (...inputs: Concrete[]) => readonly Tensor[],
  outputs: readonly TensorSpec[],
): Tensor[] => bind("hostCall", inputs, { fn, outputs });
