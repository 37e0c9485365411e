// exp on four lanes: exp(x) = 2^n exp(t), n = round(x / ln 2), t = x - n ln 2 in [-0.35, 0.35]:
// exp(t) by a polynomial of degree 5 with coefficients of the Cephes library (expf), 2^n by its bits.
import type { FunctionBuilder } from "../assembler.ts";
import { f32x4, i32x4, type Local, op, type Value } from "../values.ts";

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
];
// 1.5 * 2^23: adding it rounds to a whole number, which then stands in the lowest bits.
const ROUND = 12582912;
const EXPONENT_BITS = 23;
const ONE_BITS = 0x3f800000;

type Vector = Value<"v128">;
const add = (a: Vector, b: Vector) => op("f32x4.add", a, b);
const sub = (a: Vector, b: Vector) => op("f32x4.sub", a, b);
const mul = (a: Vector, b: Vector) => op("f32x4.mul", a, b);

/** Prepares exp within `EXP_ERROR`: the constants are locals, set here, once. */
export function exponential(f: FunctionBuilder): (x: Vector) => Vector {
  const [x, shifted, n, t, square] = f.locals("v128", 5);
  const constant = (x: Vector): Local<"v128"> => {
    const local = f.local("v128");
    f.set(local, x);
    return local;
  };
  const [lowest, highest] = [constant(f32x4(LOWEST)), constant(f32x4(HIGHEST))];
  const [log2e, high, low] = [constant(f32x4(Math.LOG2E)), constant(f32x4(LN2_HIGH)), constant(f32x4(LN2_LOW))];
  const [round, one] = [constant(f32x4(ROUND)), constant(f32x4(1))];
  const pairs = POLYNOMIAL.map((pair) => {
    const [a, b] = pair.map((x) => constant(f32x4(x))) as [Local<"v128">, Local<"v128">];
    return () => add(mul(a, t), b);
  });
  const bias = constant(i32x4(ONE_BITS));

  return (argument) => {
    // pmax(a, b) = a < b ? b : a, so with the argument first NaN stays.
    f.set(x, op("f32x4.pmin", op("f32x4.pmax", argument, lowest), highest));
    f.set(shifted, add(mul(x, log2e), round));
    f.set(n, sub(shifted, round));
    f.set(t, sub(sub(x, mul(n, high)), mul(n, low)));
    f.set(square, mul(t, t));
    // Three pairs instead of one chain: a core works at them side by side.
    const polynomial = pairs.slice(1).reduce<Vector>((sum, pair) => add(mul(sum, square), pair()), pairs[0]!());
    const power = op("i32x4.add", op("i32x4.shl", shifted, EXPONENT_BITS), bias);
    return mul(add(add(mul(polynomial, square), t), one), power);
  };
}
