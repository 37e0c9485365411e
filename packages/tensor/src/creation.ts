// Making tensors from numbers.
import { allocate, type Dtype, dtypeOf, type TypedArray } from "./dtype.ts";
import { OpError } from "./errors.ts";
import { type Shape, sizeOf } from "./shape.ts";
import { fromData, fromView, type Nested, type Tensor } from "./tensor.ts";

interface CreationOptions {
  readonly dtype?: Dtype;
}

/**
 * A tensor of nested arrays, a number or a typed array (copied).
 * @throws OpError if the nesting is ragged or `shape` does not fit.
 * @example
 * tensor([[1, 2, 3], [4, 5, 6]]).shape; // -> [2, 3]
 */
export function tensor(
  values: Nested | TypedArray | readonly boolean[],
  { shape, dtype }: CreationOptions & { readonly shape?: Shape } = {},
): Tensor {
  if (ArrayBuffer.isView(values)) {
    const type = dtype ?? dtypeOf(values);
    const data = allocate(type, values.length);
    data.set(values);
    return fromData(data, shape ?? [values.length], type);
  }
  const found: number[] = [];
  const flat: number[] = [];
  const walk = (v: unknown, depth: number): void => {
    if (!Array.isArray(v)) {
      if (depth !== found.length && flat.length) throw ragged();
      flat.push(Number(v));
      return;
    }
    if (found.length === depth && !flat.length) found.push(v.length);
    if (found[depth] !== v.length) throw ragged();
    for (const item of v) walk(item, depth + 1);
  };
  const ragged = () => new OpError("tensor", "rows of equal length", "ragged nested arrays", `shape so far [${found}]`);
  walk(values, 0);
  const type = dtype ?? (typeof firstLeaf(values) === "boolean" ? "bool" : "float32");
  const data = allocate(type, flat.length);
  data.set(flat);
  return fromData(data, shape ?? found, type);
}
const firstLeaf = (v: unknown): unknown => (Array.isArray(v) ? firstLeaf(v[0]) : v);

/** A tensor filled with one number; its memory is one element. */
export function full(shape: Shape, value: number, { dtype = "float32" }: CreationOptions = {}): Tensor {
  const one = allocate(dtype, 1);
  one[0] = value;
  return fromView(
    fromData(one, [1], dtype),
    shape,
    shape.map(() => 0),
    0,
  );
}
export const zeros = (shape: Shape, options: CreationOptions = {}): Tensor => full(shape, 0, options);
export const ones = (shape: Shape, options: CreationOptions = {}): Tensor => full(shape, 1, options);
/** Zeros of the shape and dtype of `x`. */
export const zerosLike = (x: Tensor): Tensor => full(x.shape, 0, { dtype: x.dtype });
/** Ones of the shape and dtype of `x`. */
export const onesLike = (x: Tensor): Tensor => full(x.shape, 1, { dtype: x.dtype });

/** 0, 1, ... end-1, or start, start+1, ... below end. */
export function arange(start: number, end?: number, { dtype = "float32" }: CreationOptions = {}): Tensor {
  const [from, to] = end === undefined ? [0, start] : [start, end];
  const data = allocate(dtype, Math.max(0, Math.ceil(to - from)));
  for (let i = 0; i < data.length; i++) data[i] = from + i;
  return fromData(data, [data.length], dtype);
}

/** The identity matrix [n, n]. */
export function eye(n: number, { dtype = "float32" }: CreationOptions = {}): Tensor {
  const data = allocate(dtype, sizeOf([n, n]));
  for (let i = 0; i < n; i++) data[i * n + i] = 1;
  return fromData(data, [n, n], dtype);
}
