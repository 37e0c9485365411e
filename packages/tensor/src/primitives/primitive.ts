// What a row of the table of primitives is.
import { type Allocate, type Dtype, isFloating } from "../dtype.ts";
import { OpError } from "../errors.ts";
import { sameShape, showShape } from "../shape.ts";
import type { Concrete, Tensor, TensorSpec } from "../tensor.ts";

/** How a device may treat a primitive. */
export type Kind = "pointwise" | "view" | "reduce" | "kernel" | "host";

export interface Primitive<P> {
  /** One line for documentation. */
  readonly doc: string;
  readonly kind: Kind;
  /** Shape and dtype of the outputs. @throws OpError if the inputs do not fit. */
  infer(inputs: readonly TensorSpec[], params: P): readonly TensorSpec[];
  /** The reference kernel. `outputs` is what `infer` gave; memory for them comes from `allocate`. */
  evaluate(inputs: readonly Concrete[], params: P, outputs: readonly TensorSpec[], allocate: Allocate): Tensor[];
  /** Floating-point operations; without it, one per output element of pointwise rows and none for views. */
  flops?(inputs: readonly TensorSpec[], outputs: readonly TensorSpec[], params: P): number;
}

/** Helps inference: a row with its params type. */
export const primitive = <P = NoParams>(row: Primitive<P>): Primitive<P> => row;
export type NoParams = Readonly<Record<never, never>>;

/** @throws OpError unless the dtype is float32 or float64. */
export function requireFloating(op: string, { dtype }: { readonly dtype: Dtype }): void {
  if (!isFloating(dtype)) throw new OpError(op, "float32 or float64", dtype, "cast it first");
}

/** @throws OpError unless shapes and dtypes agree: primitives never broadcast or promote, public ops do. */
export function requireSame(op: string, a: TensorSpec, b: TensorSpec): void {
  if (!sameShape(a.shape, b.shape))
    throw new OpError(op, "equal shapes", `${showShape(a.shape)} and ${showShape(b.shape)}`);
  if (a.dtype !== b.dtype) throw new OpError(op, "equal dtypes", `${a.dtype} and ${b.dtype}`);
}

/** @throws OpError unless the tensor has that many axes. */
export function requireRank(op: string, { shape }: TensorSpec, rank: number): void {
  if (shape.length !== rank) throw new OpError(op, `a tensor of ${rank} axes`, showShape(shape));
}
