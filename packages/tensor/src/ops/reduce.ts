// Public reductions. `dim` is one axis, several, or (left out) all of them.
import { bind } from "../bind.ts";
import { isFloating } from "../dtype.ts";
import { normalizeAxes, normalizeAxis, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { cast, mul } from "./pointwise.ts";
import { reshape } from "./shape.ts";

export type Dim = number | readonly number[];
export interface ReduceOptions {
  /** Keep the reduced axes as size 1. */
  readonly keepdim?: boolean;
}

const dropAxes = (x: Tensor, axes: readonly number[], keepdim: boolean): Tensor =>
  keepdim
    ? x
    : reshape(
        x,
        x.shape.filter((_, i) => !axes.includes(i)),
      );

const reduction =
  (name: "sum" | "amax" | "amin") =>
  (x: Tensor, dim?: Dim, { keepdim = false }: ReduceOptions = {}): Tensor => {
    const axes = normalizeAxes(name, dim, x.rank);
    if (axes.length === 0) return x;
    return dropAxes(bind(name, [x], { axes })[0]!, axes, keepdim);
  };

const sumOf = reduction("sum");
/** Sum; of bools, their count as int32. */
export const sum = (x: Tensor, dim?: Dim, options?: ReduceOptions): Tensor =>
  sumOf(x.dtype === "bool" ? cast(x, "int32") : x, dim, options);
/** Largest element; ties share the gradient. */
export const amax = reduction("amax");
/** Smallest element; ties share the gradient. */
export const amin = reduction("amin");

/** Arithmetic mean; of whole numbers as float32. */
export function mean(x: Tensor, dim?: Dim, options: ReduceOptions = {}): Tensor {
  const axes = normalizeAxes("mean", dim, x.rank);
  const n = sizeOf(axes.map((i) => x.shape[i]!));
  const s = sum(isFloating(x.dtype) ? x : cast(x, "float32"), axes, options);
  return mul(s, 1 / n);
}

/** [variance, mean]; divides by n - correction (0 by default: the biased one that normalises). */
export function varMean(
  x: Tensor,
  dim?: Dim,
  { correction = 0, keepdim = false }: ReduceOptions & { readonly correction?: number } = {},
): [Tensor, Tensor] {
  const axes = normalizeAxes("varMean", dim, x.rank);
  const [v, m] = bind("varMean", [x], { axes }) as [Tensor, Tensor];
  const n = sizeOf(axes.map((i) => x.shape[i]!));
  return [dropAxes(correction ? mul(v, n / (n - correction)) : v, axes, keepdim), dropAxes(m, axes, keepdim)];
}

/** Variance with Bessel's correction by default, as in PyTorch. */
export const variance = (
  x: Tensor,
  dim?: Dim,
  { correction = 1, keepdim = false }: ReduceOptions & { readonly correction?: number } = {},
): Tensor => varMean(x, dim, { correction, keepdim })[0];

/** Running sum along an axis; `reverse` runs from the end. */
export const cumsum = (x: Tensor, dim: number, { reverse = false }: { readonly reverse?: boolean } = {}): Tensor =>
  bind("cumsum", [x], { axis: normalizeAxis("cumsum", dim, x.rank), reverse })[0]!;

/** Undoes an expand: sums the axes of x that `shape` has as 1, keeping them. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  const axes = [...shape.keys()].filter((i) => shape[i] === 1 && x.shape[i] !== 1);
  return axes.length ? bind("sum", [x], { axes })[0]! : x;
}
