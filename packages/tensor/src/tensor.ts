// The Tensor: an immutable value, seen through an ndarray view, or (inside compile) a symbol.
import ndarray, { type NdArray } from "ndarray";
import { type Allocate, type Dtype, dtypeOf, allocate as fresh, type TypedArray } from "./dtype.ts";
import { OpError } from "./errors.ts";
import { stridedCopy } from "./primitives/pointwise/loops.ts";
import { format } from "./print.ts";
import { rowMajor, type Shape, showShape, sizeOf } from "./shape.ts";

/** Shape and dtype: all that is known of a value before it is computed. */
export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: Dtype;
}
export type View = NdArray<TypedArray>;
/** A tensor that has data (not a symbol). */
export type Concrete = Tensor & { readonly view: View };
/** Nested arrays of numbers, as deep as the tensor has axes. */
export type Nested = number | readonly Nested[];

/**
 * An immutable n-dimensional array.
 *
 * @example
 * const x = tensor([[1, 2], [3, 4]]);
 * x.shape; // -> [2, 2]
 * x.toArray(); // -> [[1, 2], [3, 4]]
 */
export class Tensor implements TensorSpec {
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** Data through shape, stride and offset; absent in a symbol. */
  readonly view: View | undefined;
  /** The trace that a symbol belongs to. */
  readonly trace: object | undefined;

  constructor(shape: Shape, dtype: Dtype, view: View | undefined, trace?: object) {
    this.shape = shape;
    this.dtype = dtype;
    this.view = view;
    this.trace = trace;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** The only element as a number. @throws OpError if there are more, or if the tensor is a symbol. */
  item(): number {
    if (this.size !== 1) throw new OpError("item", "a tensor of one element", showShape(this.shape));
    return this.toTypedArray()[0]!;
  }

  /** Row-major elements. The array may be the tensor's own: do not write to it. */
  toTypedArray(): TypedArray {
    return contiguous(concrete(this, "toTypedArray"));
  }

  /** Nested arrays of numbers (a number for a scalar); bool gives 0 and 1. */
  toArray(): Nested {
    const data = this.toTypedArray();
    const build = (axis: number, offset: number, stride: readonly number[]): Nested =>
      axis === this.rank
        ? data[offset]!
        : Array.from({ length: this.shape[axis]! }, (_, i) => build(axis + 1, offset + i * stride[axis]!, stride));
    return build(0, 0, rowMajor(this.shape));
  }

  toString(): string {
    return this.view
      ? format(this.toTypedArray(), this.shape, this.dtype)
      : `tensor(<symbol>, shape ${showShape(this.shape)}, ${this.dtype})`;
  }

  /** Node's console.log shows the same text. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** A tensor over row-major data, without a copy. */
export const fromData = (data: TypedArray, shape: Shape, dtype: Dtype = dtypeOf(data)): Concrete => {
  if (data.length !== sizeOf(shape))
    throw new OpError("fromData", `${sizeOf(shape)} elements for shape ${showShape(shape)}`, String(data.length));
  return new Tensor(shape, dtype, ndarray(data, [...shape], rowMajor(shape), 0)) as Concrete;
};

/** A tensor that sees the data of another through other strides. */
export const fromView = (
  { view, dtype }: Concrete,
  shape: Shape,
  stride: readonly number[],
  offset: number,
): Concrete => new Tensor(shape, dtype, ndarray(view.data, [...shape], [...stride], offset)) as Concrete;

/** The tensor as one with data. @throws OpError if it is a symbol. */
export function concrete(t: Tensor, op: string): Concrete {
  if (!t.view)
    throw new OpError(
      op,
      "a tensor with data",
      `a symbol of shape ${showShape(t.shape)}`,
      "inside compile values are not known yet",
    );
  return t as Concrete;
}

/** Whether the elements lie row-major without gaps (axes of size 1 do not matter). */
export function isContiguous({ shape, view }: Concrete): boolean {
  let n = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && view.stride[i] !== n) return false;
    n *= shape[i]!;
  }
  return true;
}

/** Row-major data; no copy if it already lies so. */
export function contiguous(t: Concrete, allocate: Allocate = fresh): TypedArray {
  const { view, size } = t;
  if (isContiguous(t))
    return view.offset === 0 && view.data.length === size
      ? view.data
      : view.data.subarray(view.offset, view.offset + size);
  const out = allocate(t.dtype, size);
  stridedCopy(view, out);
  return out;
}
