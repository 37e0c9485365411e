// sigmoid, log, sin, cos and atan on four lanes (exp stands in kernels/exp.ts, pow in pow.ts). Coefficients of the Cephes
// library, single precision; outside of a function's domain the results are those of JavaScript's Math.
import type { FunctionBuilder } from "../assembler.ts";
import { sigmoidDivisor } from "../kernels/exp.ts";
import { f32x4, i32x4, type Local, op } from "../values.ts";
import {
  abs,
  add,
  and,
  choose,
  div,
  INFINITY,
  keep,
  mul,
  NAN,
  ONE,
  polynomial,
  SIGN_BIT,
  sub,
  type Unary,
  type Vector,
  ZERO,
} from "./vectors.ts";

/** Largest relative error of `log`. */
export const LOG_ERROR = 1.5e-7;
/** Largest relative error of `atan`. */
export const ATAN_ERROR = 2.5e-7;
/** Largest absolute error of `sin` and `cos` up to |x| = `TURNS_LIMIT`; beyond it grows, but results stay in [-1, 1]. */
export const SIN_ERROR = 1.5e-7;
export const TURNS_LIMIT = 1e4;

/** 1 / (1 + exp(-x)): exactly 0 and 1 at the ends. */
export function sigmoid(f: FunctionBuilder): Unary {
  const divisor = sigmoidDivisor(f);
  return (x) => div(ONE, divisor(x));
}

const SMALLEST_NORMAL = 2 ** -126;
const MANTISSA_BITS = 23;
const EXPONENT_BIAS = 127;
const HALF_BITS = 0x3f000000;
const MANTISSA = i32x4(0x007fffff);

/** x > 0 as 2^exponent * (1 + rest), sqrt(1/2) <= 1 + rest < sqrt(2); the exponent as a float. Meaningless for others. */
export function split(f: FunctionBuilder, x: Vector): { readonly exponent: Vector; readonly rest: Vector } {
  const tiny = keep(f, op("f32x4.lt", x, f32x4(SMALLEST_NORMAL)));
  const normal = keep(f, choose(tiny, mul(x, f32x4(2 ** MANTISSA_BITS)), x));
  const half = keep(f, op("v128.or", and(normal, MANTISSA), i32x4(HALF_BITS))); // mantissa in [1/2, 1)
  const low = keep(f, op("f32x4.lt", half, f32x4(Math.SQRT1_2)));
  const biased = op("f32x4.convert_i32x4_s", op("i32x4.shr_u", normal, MANTISSA_BITS));
  const shift = add(and(tiny, f32x4(MANTISSA_BITS)), and(low, ONE));
  const exponent = keep(f, sub(sub(biased, f32x4(EXPONENT_BIAS - 1)), shift));
  // Where the mantissa is below sqrt(1/2) it is doubled.
  const rest = keep(f, add(sub(half, ONE), and(low, half)));
  return { exponent, rest };
}

const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444e-4;
const LOG = [
  ...[7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1],
  ...[-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1],
];
/** log(1 + r) - r for r as `split` gives it. */
export function logRest(f: FunctionBuilder, r: Vector): Vector {
  const square = keep(f, mul(r, r));
  return sub(mul(mul(r, square), polynomial(r, LOG)), mul(square, f32x4(0.5)));
}

/** Natural logarithm: -Infinity at 0, NaN below. */
export const log =
  (f: FunctionBuilder): Unary =>
  (x) => {
    const { exponent, rest } = split(f, x);
    const small = add(logRest(f, rest), mul(exponent, f32x4(LN2_LOW)));
    const finite = keep(f, add(add(rest, small), mul(exponent, f32x4(LN2_HIGH))));
    // Infinity and NaN are their own logarithm; a negative one has none.
    const upwards = keep(f, choose(op("f32x4.lt", x, INFINITY), finite, x));
    const positive = keep(f, choose(op("f32x4.lt", x, ZERO), NAN, upwards));
    return choose(op("f32x4.eq", x, ZERO), f32x4(Number.NEGATIVE_INFINITY), positive);
  };

const ATAN = [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1];
const TAN_OF_EIGHTH = Math.SQRT2 - 1; // of an eighth of pi
const TAN_OF_THREE_EIGHTHS = Math.SQRT2 + 1;

/** Arc tangent: of |x| above 1 + sqrt(2) by that of -1/x, above sqrt(2) - 1 by that of (x - 1)/(x + 1). */
export const atan =
  (f: FunctionBuilder): Unary =>
  (argument) => {
    const x = keep(f, abs(argument));
    const large = keep(f, op("f32x4.gt", x, f32x4(TAN_OF_THREE_EIGHTHS)));
    const middle = keep(f, op("v128.andnot", op("f32x4.gt", x, f32x4(TAN_OF_EIGHTH)), large));
    const numerator = choose(large, f32x4(-1), sub(x, and(middle, ONE)));
    const denominator = choose(large, x, add(and(middle, x), ONE));
    const t = keep(f, div(numerator, denominator));
    const base = add(and(large, f32x4(Math.PI / 2)), and(middle, f32x4(Math.PI / 4)));
    const square = keep(f, mul(t, t));
    const angle = add(base, add(mul(mul(polynomial(square, ATAN), square), t), t));
    return op("v128.or", angle, and(argument, SIGN_BIT));
  };

// 1.5 * 2^23: adding it rounds to a whole number, which then stands in the lowest bits.
const ROUND = 12582912;
// pi / 2 in three parts: the first two have 11 bits, so whole multiples up to 2^13 are exact (Cody and Waite).
const QUARTER = [1.5703125, 4.837512969970703e-4, 7.549789948768648e-8] as const;
/** pi / 4, and a little for the rounding of n. */
const LARGEST = 0.79;
const SIN = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1];
const COS = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2];

/** sin(x + quarters pi/2). */
const sine =
  (quarters: number) =>
  (f: FunctionBuilder): Unary =>
  (x) => {
    const shifted = keep(f, add(mul(x, f32x4(2 / Math.PI)), f32x4(ROUND)));
    const n = keep(f, sub(shifted, f32x4(ROUND)));
    const reduced = QUARTER.reduce<Vector>((rest, part) => sub(rest, mul(n, f32x4(part))), x);
    // With the argument first NaN stays; the limits bound what is left of arguments too large to be reduced.
    const t = keep(f, op("f32x4.pmin", op("f32x4.pmax", reduced, f32x4(-LARGEST)), f32x4(LARGEST)));
    const square = keep(f, mul(t, t));
    const sin = add(mul(mul(polynomial(square, SIN), square), t), t);
    const cos = add(sub(mul(mul(polynomial(square, COS), square), square), mul(square, f32x4(0.5))), ONE);
    const quadrant: Local<"v128"> = keep(f, op("i32x4.add", shifted, i32x4(quarters)));
    // Odd quadrants take the cosine: their lowest bit becomes a mask. The next bit is the sign.
    const odd = op("i32x4.shr_s", op("i32x4.shl", quadrant, 31), 31);
    const sign = and(op("i32x4.shl", quadrant, 30), SIGN_BIT);
    return op("v128.xor", choose(odd, cos, sin), sign);
  };
/** Sine of radians; of -0 it is 0. */
export const sin = sine(0);
/** Cosine of radians. */
export const cos = sine(1);
