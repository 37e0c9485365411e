// Depthwise 3 x 3 convolutions (groups = channels), four channels at a time: nine weights, or nine sums of the weight
// gradient, stay in registers while the window walks over the pixels.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { type Local, load, op, type Value } from "../values.ts";

const TAPS = 9;
/** Emits `use` for the vector under each tap of the window, in the order of the weights; `at` is a local to walk with. */
function eachTap(
  f: FunctionBuilder,
  [window, at]: readonly [Local<"i32">, Local<"i32">],
  [right, down]: readonly [Local<"i32">, Local<"i32">],
  use: (tap: number, x: Value<"v128">) => void,
): void {
  for (const row of [0, 1, 2]) {
    f.set(at, op("i32.add", window, op("i32.mul", down, row)));
    for (const column of [0, 1, 2]) {
      use(3 * row + column, load("v128.load", at));
      f.increase(at, right);
    }
  }
}

/**
 * y[row][pixel][0..4) = the sum over 3 x 3 taps of x[...][0..4) * w[tap][0..4). All steps in bytes: xRow and xPixel from
 * window to window, right and down from tap to tap.
 */
export const depthwise = define(
  integers("x", "w", "y", "rows", "pixels", "xRow", "xPixel", "yRow", "yPixel", "right", "down"),
  (f, { x, w, y, rows, pixels, xRow, xPixel, yRow, yPixel, right, down }) => {
    const [window, at, to, n] = f.locals("i32", 4);
    const weights = f.locals("v128", TAPS);
    const sum = f.local("v128");
    for (const [tap, weight] of weights.entries()) f.set(weight, load("v128.load", w, 16 * tap));
    f.countdown(rows, () => {
      f.set(window, x);
      f.set(to, y);
      f.set(n, pixels);
      f.countdown(n, () => {
        eachTap(f, [window, at], [right, down], (tap, value) => {
          const product = op("f32x4.mul", value, weights[tap]!);
          f.set(sum, tap === 0 ? product : op("f32x4.add", sum, product));
        });
        f.store("v128.store", to, sum);
        f.increase(window, xPixel);
        f.increase(to, yPixel);
      });
      f.increase(x, xRow);
      f.increase(y, yRow);
    });
  },
);

/** dw[tap][0..4) += the sum over rows and pixels of x[...][0..4) * ct[row][pixel][0..4); steps as in `depthwise`. */
export const depthwiseWeight = define(
  integers("x", "ct", "dw", "rows", "pixels", "xRow", "xPixel", "ctRow", "ctPixel", "right", "down"),
  (f, { x, ct, dw, rows, pixels, xRow, xPixel, ctRow, ctPixel, right, down }) => {
    const [window, at, from, n] = f.locals("i32", 4);
    const sums = f.locals("v128", TAPS);
    const factor = f.local("v128");
    for (const [tap, sum] of sums.entries()) f.set(sum, load("v128.load", dw, 16 * tap));
    f.countdown(rows, () => {
      f.set(window, x);
      f.set(from, ct);
      f.set(n, pixels);
      f.countdown(n, () => {
        f.set(factor, load("v128.load", from));
        eachTap(f, [window, at], [right, down], (tap, value) => {
          f.set(sums[tap]!, op("f32x4.add", sums[tap]!, op("f32x4.mul", factor, value)));
        });
        f.increase(window, xPixel);
        f.increase(from, ctPixel);
      });
      f.increase(x, xRow);
      f.increase(ct, ctRow);
    });
    for (const [tap, sum] of sums.entries()) f.store("v128.store", dw, sum, 16 * tap);
  },
);
