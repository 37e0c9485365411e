// exp and what a sigmoid divides by, on four lanes: exp(x) = 2^n exp(t), n = round(x / ln 2), t = x - n ln 2 in [-0.35, 0.35]:
// exp(t) by a polynomial of degree 5 with coefficients of the Cephes library (expf), 2^n by its bits.
import type { FunctionBuilder } from "../assembler.ts";
import { f32x4, i32x4, op, type Value } from "../values.ts";

/** Largest relative error of `exp` on [-87, 88]. Below -87.7 it is 0, above 88.4 Infinity; NaN stays NaN. */
export const EXP_ERROR = 1e-7;
// Saturated arguments have n = -127 and n = 128, whose bits are those of 0 and Infinity.
const LOWEST = -88;
const HIGHEST = 89;
// ln 2 in two parts: n * LN2_HIGH is exact, so the subtraction loses nothing.
const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444e-4;
/** (exp(t) - 1 - t) / t^2, highest power first, in pairs. */
const POLYNOMIAL = [
  [1.98756915e-4, 1.3981999507e-3],
  [8.3334519073e-3, 4.1665795894e-2],
  [1.6666665459e-1, 5.0000001201e-1],
] as const;
// 1.5 * 2^23: adding it rounds to a whole number, which then stands in the lowest bits.
const ROUND = 12582912;
const EXPONENT_BITS = 23;
const EXPONENT_BIAS = 127;
const ONE_BITS = 0x3f800000;

type Vector = Value<"v128">;
const add = (a: Vector, b: Vector) => op("f32x4.add", a, b);
const sub = (a: Vector, b: Vector) => op("f32x4.sub", a, b);
const mul = (a: Vector, b: Vector) => op("f32x4.mul", a, b);

/** Prepares exp within `EXP_ERROR`. */
export function exponential(f: FunctionBuilder): (x: Vector) => Vector {
  const [x, shifted, n, t, square] = f.locals("v128", 5);
  const round = f32x4(ROUND);
  const pairs = POLYNOMIAL.map(([a, b]) => add(mul(f32x4(a), t), f32x4(b)));

  return (argument) => {
    // pmax(a, b) = a < b ? b : a, so with the argument first NaN stays.
    f.set(x, op("f32x4.pmin", op("f32x4.pmax", argument, f32x4(LOWEST)), f32x4(HIGHEST)));
    f.set(shifted, add(mul(x, f32x4(Math.LOG2E)), round));
    f.set(n, sub(shifted, round));
    f.set(t, sub(sub(x, mul(n, f32x4(LN2_HIGH))), mul(n, f32x4(LN2_LOW))));
    f.set(square, mul(t, t));
    // Three pairs instead of one chain: a core works at them side by side.
    const polynomial = pairs.reduce((sum, pair) => add(mul(sum, square), pair));
    const power = op("i32x4.add", op("i32x4.shl", shifted, EXPONENT_BITS), i32x4(ONE_BITS));
    return mul(add(add(mul(polynomial, square), t), f32x4(1)), power);
  };
}

/** 2^t on [-1/2, 1/2] with 2^0 = 1 exactly: minimax, relative error 9.2e-8; highest power first, in pairs. */
const POWER_OF_TWO = [
  [1.326472731307149e-3, 9.671512991189957e-3],
  [5.550733581185341e-2, 2.4022242426872253e-1],
  [6.931470036506653e-1, 1],
] as const;
const LEAST_EXPONENT = -127;
const LARGEST_EXPONENT = 128;

/** Largest relative error of 1 / (1 + exp(-x)) where it is above 1e-38; the absolute error is below 1.5e-7. Also of silu. */
export const sigmoidError = (x: number): number => 2.5e-7 + 8e-8 * Math.max(0, -x);

/**
 * Prepares 1 + exp(-x), what a sigmoid divides by. The exponent is scaled to powers of two at once: the rounding of x log2(e)
 * costs a relative error of 8e-8 |x| where exp(-x) is large, and nothing that can be seen where it is small.
 */
export function sigmoidDivisor(f: FunctionBuilder): (x: Vector) => Vector {
  const [scaled, shifted, t, square] = f.locals("v128", 4);
  // The exponent's bias comes with the rounding.
  const round = f32x4(ROUND + EXPONENT_BIAS);
  const pairs = POWER_OF_TWO.map(([a, b]) => add(mul(f32x4(a), t), f32x4(b)));

  return (x) => {
    f.set(
      scaled,
      op("f32x4.pmin", op("f32x4.pmax", mul(x, f32x4(-Math.LOG2E)), f32x4(LEAST_EXPONENT)), f32x4(LARGEST_EXPONENT)),
    );
    f.set(shifted, add(scaled, round));
    f.set(t, sub(scaled, sub(shifted, round)));
    f.set(square, mul(t, t));
    const polynomial = pairs.reduce((sum, pair) => add(mul(sum, square), pair));
    const power = op("i32x4.shl", shifted, EXPONENT_BITS);
    return add(mul(polynomial, power), f32x4(1));
  };
}
