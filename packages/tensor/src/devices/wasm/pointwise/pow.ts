// a^b on four lanes as 2^(b log2 |a|), with the special cases of JavaScript's `**`. The product is formed in two parts, so
// that whole powers of two in a cost no accuracy.
import type { FunctionBuilder } from "../assembler.ts";
import { exponential } from "../kernels/exp.ts";
import { f32x4, i32x4, op } from "../values.ts";
import { logRest, split } from "./functions.ts";
import {
  abs,
  add,
  and,
  type Binary,
  choose,
  INFINITY,
  keep,
  mul,
  NAN,
  ONE,
  SIGN_BIT,
  sub,
  type Vector,
  ZERO,
} from "./vectors.ts";

/**
 * Relative error of `pow`, given the part of the exponent that is rounded: b log2 m, where a = 2^n m and m is within a
 * factor of sqrt(2) of 1. Results below 2^-126 are rounded once more.
 */
export const powError = (exponent: number): number => 3e-7 + 2e-7 * Math.abs(exponent);

// Powers of 2 below and above all floats.
const LOWEST = -152;
const HIGHEST = 129;
const FAR = 160;
const ROUND = 12582912; // 1.5 * 2^23: adding it rounds to a whole number
const ROUND_BITS = 0x4b400000;
const ONE_BITS = 0x3f800000;
const MANTISSA_BITS = 23;
const HALF_OF_BITS = i32x4(0xfffff000);

export function pow(f: FunctionBuilder): Binary {
  const exp = exponential(f);
  return (base, b) => {
    const a = keep(f, abs(base));
    const { exponent, rest } = split(f, a);
    const log2 = keep(f, mul(add(rest, logRest(f, rest)), f32x4(Math.LOG2E)));
    // log2 a, also where a is 0, Infinity or NaN.
    const upwards = keep(f, choose(op("f32x4.lt", a, INFINITY), add(exponent, log2), a));
    const logarithm = choose(op("f32x4.eq", a, ZERO), f32x4(Number.NEGATIVE_INFINITY), upwards);
    const product = keep(f, mul(b, logarithm));
    const clamped = op("f32x4.pmin", op("f32x4.pmax", product, f32x4(LOWEST)), f32x4(HIGHEST));
    const shifted = keep(f, add(clamped, f32x4(ROUND)));
    const n = sub(shifted, f32x4(ROUND));
    // b * exponent - n without rounding: the upper half of b times 8 bits is exact.
    const high = keep(f, and(b, HALF_OF_BITS));
    const whole = add(sub(mul(high, exponent), n), mul(sub(b, high), exponent));
    const fraction = keep(f, add(whole, mul(b, log2)));
    const far = op("f32x4.ge", abs(product), f32x4(FAR));
    const t = op("v128.andnot", fraction, far);
    // 2^n as a product of two, so that either is a float.
    const whole32 = keep(f, op("i32x4.sub", shifted, i32x4(ROUND_BITS)));
    const half32 = keep(f, op("i32x4.shr_s", whole32, 1));
    const power = (n: Vector) => op("i32x4.add", op("i32x4.shl", n, MANTISSA_BITS), i32x4(ONE_BITS));
    const scaled = mul(exp(mul(t, f32x4(Math.LN2))), power(half32));
    const magnitude = mul(scaled, power(op("i32x4.sub", whole32, half32)));
    const size = keep(f, op("v128.or", magnitude, op("f32x4.ne", product, product)));

    const isWhole = (x: Vector) => op("f32x4.eq", op("f32x4.trunc", x), x);
    const half = keep(f, mul(b, f32x4(0.5)));
    const odd = op("v128.andnot", isWhole(b), isWhole(half));
    const signed = op("v128.xor", size, and(and(odd, base), SIGN_BIT));
    // A negative finite base has no power that is not whole.
    const negative = and(op("f32x4.lt", base, ZERO), op("f32x4.lt", a, INFINITY));
    const real = keep(f, choose(op("v128.andnot", negative, isWhole(b)), NAN, signed));
    return choose(op("f32x4.eq", b, ZERO), ONE, real);
  };
}
