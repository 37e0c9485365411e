// Public pointwise ops: numbers and broadcasting become explicit expands, dtypes meet, then one primitive.
import { bind } from "../bind.ts";
import { full } from "../creation.ts";
import { type Dtype, isFloating, promote } from "../dtype.ts";
import { OpError } from "../errors.ts";
import type { PrimitiveName } from "../primitives/table.ts";
import { broadcastShapes, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { expand } from "./shape.ts";

/** A tensor, or a number that takes the other operand's dtype. */
export type Operand = Tensor | number;

const noParams = {};
type Plain = "neg" | "exp" | "log" | "sqrt" | "abs" | "sin" | "cos" | "atan" | "sigmoid" | "detach" | "copy";
const unary =
  (name: Plain) =>
  (x: Tensor): Tensor =>
    bind(name, [x], noParams)[0]!;

/** The dtype of a number beside a tensor: the tensor's, but float32 beside an integer one if the number is not whole. */
const numberDtype = (x: number, other: Dtype): Dtype =>
  isFloating(other) || (Number.isInteger(x) && other === "int32") ? other : Number.isInteger(x) ? "int32" : "float32";

/** Broadcasts and promotes operands to one shape and dtype. @throws OpError if the shapes do not broadcast. */
function meet(op: string, operands: readonly Operand[]): Tensor[] {
  const tensors = operands.filter((x): x is Tensor => typeof x !== "number");
  if (!tensors.length) throw new OpError(op, "at least one tensor", "numbers only");
  let dtype = tensors.map((t) => t.dtype).reduce(promote);
  for (const x of operands) if (typeof x === "number") dtype = promote(dtype, numberDtype(x, dtype));
  const shape = tensors.map((t) => t.shape).reduce((a, b) => broadcastShapes(op, a, b));
  return operands.map((x) => (typeof x === "number" ? full(shape, x, { dtype }) : expand(cast(x, dtype), shape)));
}

type BinaryName = "add" | "sub" | "mul" | "div" | "pow" | "maximum" | "minimum" | "greater" | "equal";
const binary =
  (name: BinaryName & PrimitiveName) =>
  (a: Operand, b: Operand): Tensor =>
    bind(name, meet(name, [a, b]), noParams)[0]!;

/** Another dtype; `x` itself if it has it already. */
export const cast = (x: Tensor, dtype: Dtype): Tensor => (x.dtype === dtype ? x : bind("cast", [x], { dtype })[0]!);

/** -x */
export const neg = unary("neg");
/** e^x */
export const exp = unary("exp");
/** Natural logarithm. */
export const log = unary("log");
/** Square root. */
export const sqrt = unary("sqrt");
/** |x| */
export const abs = unary("abs");
/** Sine of radians. */
export const sin = unary("sin");
/** Cosine of radians. */
export const cos = unary("cos");
/** Arc tangent in radians. */
export const atan = unary("atan");
/** 1 / (1 + e^-x) */
export const sigmoid = unary("sigmoid");
/** The same values, cut off from the gradient. */
export const detach = unary("detach");

/** a + b, broadcast. */
export const add = binary("add");
/** a - b, broadcast. */
export const sub = binary("sub");
/** a b, broadcast. */
export const mul = binary("mul");
/** a / b, broadcast. */
export const div = binary("div");
/** a^b, broadcast; for a gradient to `b`, a > 0. */
export const pow = binary("pow");
/** The larger of a and b, broadcast. */
export const maximum = binary("maximum");
/** The smaller of a and b, broadcast. */
export const minimum = binary("minimum");

/** a > b as bool, broadcast. */
export const greater = binary("greater");
/** a = b as bool, broadcast. */
export const equal = binary("equal");
/** a < b as bool, broadcast. */
export const less = (a: Operand, b: Operand): Tensor => greater(b, a);
/** a >= b as bool, broadcast (true where neither is greater; NaN is not ordered and gives false). */
export const greaterEqual = (a: Operand, b: Operand): Tensor => logicalOr(greater(a, b), equal(a, b));
/** a <= b as bool, broadcast. */
export const lessEqual = (a: Operand, b: Operand): Tensor => greaterEqual(b, a);
/** Both, of bools. */
export const logicalAnd = (a: Tensor, b: Tensor): Tensor =>
  binary("minimum")(requireBool("logicalAnd", a), requireBool("logicalAnd", b));
/** Either, of bools. */
export const logicalOr = (a: Tensor, b: Tensor): Tensor =>
  binary("maximum")(requireBool("logicalOr", a), requireBool("logicalOr", b));
/** Not, of a bool. */
export const logicalNot = (x: Tensor): Tensor =>
  equal(requireBool("logicalNot", x), full(x.shape, 0, { dtype: "bool" }));
const requireBool = (op: string, x: Tensor): Tensor => {
  if (x.dtype !== "bool") throw new OpError(op, "bool", x.dtype, "compare or cast first");
  return x;
};

/** `a` where `condition` is true, else `b`; all three broadcast. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const values = meet("where", [a, b].some((x) => typeof x !== "number") ? [a, b] : [full([], a as number), b]);
  const shape: Shape = broadcastShapes("where", condition.shape, values[0]!.shape);
  return bind("where", [expand(condition, shape), expand(values[0]!, shape), expand(values[1]!, shape)], noParams)[0]!;
}
