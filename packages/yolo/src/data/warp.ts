// Draws a picture through a matrix: bilinear, in the fixed point of the common image library, so that its bytes come out.
import { borderLevel } from "./letterbox.ts";
import type { Image } from "./types.ts";

/** A 3x3 matrix, row by row, that maps pixel positions (x, y, 1) of a source to those of a destination. */
export type Matrix = readonly [number, number, number, number, number, number, number, number, number];

/** The matrix that leaves everything where it is. */
export const identity: Matrix = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** The product of matrices; the last one acts first. */
export function compose(...matrices: readonly Matrix[]): Matrix {
  return matrices.reduce((a, b) => {
    const entry = (row: number, column: number) =>
      a[row * 3]! * b[column]! + a[row * 3 + 1]! * b[column + 3]! + a[row * 3 + 2]! * b[column + 6]!;
    return [
      entry(0, 0),
      entry(0, 1),
      entry(0, 2),
      entry(1, 0),
      entry(1, 1),
      entry(1, 2),
      entry(2, 0),
      entry(2, 1),
      entry(2, 2),
    ];
  }, identity);
}

/** Positions are taken to a 32nd of a pixel. */
const steps = 32;
/** In affine maps the sums of products are taken to a 1024th before. */
const fine = 1024;

/** The picture seen through the matrix, in a frame of `width` x `height`; what lies outside the source is grey (114). */
export function warp(
  image: Image,
  matrix: Matrix,
  { width, height }: { readonly width: number; readonly height: number },
): Image {
  const out = new Uint8Array(width * height * 3).fill(borderLevel);
  const [a, b, c, d, e, f, g, h, i] = inverse(matrix);
  const isAffine = g === 0 && h === 0;
  const across = Float64Array.from({ length: width }, (_, x) => Math.round(a * x * fine));
  const down = Float64Array.from({ length: width }, (_, x) => Math.round(d * x * fine));
  for (let y = 0; y < height; y++) {
    const startX = Math.round((b * y + c) * fine) + fine / steps / 2;
    const startY = Math.round((e * y + f) * fine) + fine / steps / 2;
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      if (isAffine) {
        sample(
          image,
          Math.floor(((startX + across[x]!) * steps) / fine),
          Math.floor(((startY + down[x]!) * steps) / fine),
          out,
          at,
        );
      } else {
        const scale = steps / (g * x + h * y + i);
        sample(image, Math.round((a * x + b * y + c) * scale), Math.round((d * x + e * y + f) * scale), out, at);
      }
    }
  }
  return { width, height, data: out };
}

/** Writes the pixel at a position in 32nds. Of the four neighbours those outside count as grey; far outside nothing is written. */
function sample({ width, height, data }: Image, x: number, y: number, out: Uint8Array, at: number): void {
  // Written so that positions that are not numbers, from a matrix without an inverse, are outside too.
  if (!(x > -steps && x < width * steps && y > -steps && y < height * steps)) return;
  const left = x >> 5;
  const top = y >> 5;
  const wx = x & (steps - 1);
  const wy = y & (steps - 1);
  const first = (top * width + left) * 3;
  const below = first + width * 3;
  if (left >= 0 && left + 1 < width && top >= 0 && top + 1 < height) {
    for (let c = 0; c < 3; c++) {
      const upper = data[first + c]! * (steps - wx) + data[first + 3 + c]! * wx;
      const lower = data[below + c]! * (steps - wx) + data[below + 3 + c]! * wx;
      out[at + c] = (upper * (steps - wy) + lower * wy + (steps * steps) / 2) >> 10;
    }
    return;
  }
  const hasLeft = left >= 0;
  const hasRight = left + 1 < width;
  const hasTop = top >= 0;
  const hasBottom = top + 1 < height;
  for (let c = 0; c < 3; c++) {
    const p = hasTop && hasLeft ? data[first + c]! : borderLevel;
    const q = hasTop && hasRight ? data[first + 3 + c]! : borderLevel;
    const r = hasBottom && hasLeft ? data[below + c]! : borderLevel;
    const s = hasBottom && hasRight ? data[below + 3 + c]! : borderLevel;
    const upper = p * (steps - wx) + q * wx;
    const lower = r * (steps - wx) + s * wx;
    out[at + c] = (upper * (steps - wy) + lower * wy + (steps * steps) / 2) >> 10;
  }
}

/** The inverse by cofactors; not numbers where there is none. */
function inverse([a, b, c, d, e, f, g, h, i]: Matrix): Matrix {
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  const by = (x: number) => x / det;
  return [
    by(e * i - f * h),
    by(c * h - b * i),
    by(b * f - c * e),
    by(f * g - d * i),
    by(a * i - c * g),
    by(c * d - a * f),
    by(d * h - e * g),
    by(b * g - a * h),
    by(a * e - b * d),
  ];
}
