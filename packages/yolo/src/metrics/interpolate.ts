// Piecewise linear curves over plain numbers, as the average precision needs them.
import { roundHalfEven } from "../round.ts";

/** `n` evenly spaced numbers from 0 to 1. */
export function unitGrid(n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => (i === n - 1 ? 1 : i * (1 / (n - 1))));
}

/**
 * The piecewise linear function through (xs, ys) at rising positions `at`; constant outside.
 *
 * @param xs rising; where a position repeats, the last of its values counts.
 * @param left value before xs[0], default ys[0].
 */
export function interpolate(
  at: ArrayLike<number>,
  xs: ArrayLike<number>,
  ys: ArrayLike<number>,
  left: number = ys[0]!,
): Float64Array {
  const out = new Float64Array(at.length);
  const last = xs.length - 1;
  for (let i = 0, j = -1; i < at.length; i++) {
    const x = at[i]!;
    while (j < last && xs[j + 1]! <= x) j++;
    if (j < 0) out[i] = left;
    else if (j === last || xs[j] === x) out[i] = ys[j]!;
    else out[i] = ((ys[j + 1]! - ys[j]!) / (xs[j + 1]! - xs[j]!)) * (x - xs[j]!) + ys[j]!;
  }
  return out;
}

/** Mean over a centred window of about 2 * `fraction` of the length (odd), the ends repeated outwards. */
export function boxFilter(ys: ArrayLike<number>, fraction: number): Float64Array {
  const n = ys.length;
  const half = Math.floor((Math.floor(roundHalfEven(n * fraction * 2) / 2) + 1) / 2);
  const width = 2 * half + 1;
  const at = (i: number): number => ys[Math.min(Math.max(i, 0), n - 1)]!;
  return Float64Array.from({ length: n }, (_, i) => {
    let total = 0;
    for (let k = -half; k <= half; k++) total += at(i + k);
    return total / width;
  });
}
