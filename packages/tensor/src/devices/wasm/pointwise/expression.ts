// A fused pointwise expression, free of addresses: what one kernel computes for every element. Programs that need the
// same expression share the kernel.

/**
 * How an operand or a result moves along the innermost loop: by one float, not at all, or by any other step. A fixed operand moves
 * by one float and is the same for all pixels of a row; then the others are vectors, and the loop is cut into tiles.
 */
export type Access = "vector" | "repeat" | "strided" | "fixed";

/** Values of a node: an operand's element, an earlier node, a number in the kernel, a number given at the call. */
export type Ref =
  | { readonly operand: number }
  | { readonly node: number }
  | { readonly constant: number }
  | { readonly scalar: number };

/** Pointwise primitives as kernels see them: casts and int32 division say what they do to floats. */
export type NodeName =
  | "neg"
  | "exp"
  | "log"
  | "sqrt"
  | "abs"
  | "sin"
  | "cos"
  | "atan"
  | "sigmoid"
  | "copy"
  | "truncate"
  | "nonZero"
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "pow"
  | "maximum"
  | "minimum"
  | "greater"
  | "equal"
  | "where";

export interface Expression {
  readonly operands: readonly Access[];
  /** How many numbers the call gives. */
  readonly scalars: number;
  readonly nodes: readonly { readonly name: NodeName; readonly args: readonly Ref[] }[];
  readonly stores: readonly { readonly access: "vector" | "strided"; readonly value: Ref }[];
  /** Values to be added up over all pixels, one sum per index of the innermost loop. */
  readonly sums: readonly Ref[];
}
