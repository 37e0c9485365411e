// Short names for arithmetic on four lanes, for polynomials that should read as formulas.
import type { FunctionBuilder } from "../assembler.ts";
import { f32x4, type Local, op, type Value } from "../values.ts";

export type Vector = Value<"v128">;
/** Emits a function of vectors: operands may be written more than once, so they should be locals or constants. */
export type Unary = (x: Vector) => Vector;
export type Binary = (a: Vector, b: Vector) => Vector;

export const add = (a: Vector, b: Vector): Vector => op("f32x4.add", a, b);
export const sub = (a: Vector, b: Vector): Vector => op("f32x4.sub", a, b);
export const mul = (a: Vector, b: Vector): Vector => op("f32x4.mul", a, b);
export const div = (a: Vector, b: Vector): Vector => op("f32x4.div", a, b);
export const and = (a: Vector, b: Vector): Vector => op("v128.and", a, b);
export const abs = (x: Vector): Vector => op("f32x4.abs", x);
/** `yes` in the lanes where all bits of `mask` are set, `no` where none is. */
export const choose = (mask: Vector, yes: Vector, no: Vector): Vector => op("v128.bitselect", yes, no, mask);

export const ONE: Vector = f32x4(1);
export const ZERO: Vector = f32x4(0);
export const INFINITY: Vector = f32x4(Number.POSITIVE_INFINITY);
export const NAN: Vector = f32x4(Number.NaN);
export const SIGN_BIT: Vector = f32x4(-0);

/** The polynomial by Horner's rule, highest power first. */
export const polynomial = (x: Vector, [first, ...others]: readonly number[]): Vector =>
  others.reduce<Vector>((sum, c) => add(mul(sum, x), f32x4(c)), f32x4(first!));

/** A new local that holds x from here on. */
export function keep(f: FunctionBuilder, x: Vector): Local<"v128"> {
  const local = f.local("v128");
  f.set(local, x);
  return local;
}
