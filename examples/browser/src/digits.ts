// Digits to learn from, drawn from a font of 5 x 7 dots: each with a size, a place, ink and noise of its own.
import { fromData, type Generator, type Tensor } from "@orepa/tensor";

export const SIDE = 16;
export const CLASSES = 10;
const [WIDTH, HEIGHT] = [5, 7];
/** Rows of a digit as hexadecimal numbers of five bits, top first. */
const font = [
  [0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e],
  [0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e],
  [0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f],
  [0x1f, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0e],
  [0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02],
  [0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e],
  [0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e],
  [0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08],
  [0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e],
  [0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c],
] as const;
/** How wide and high a digit may be in the picture; its font has 5 x 7. */
const [SMALLEST, LARGEST] = [1.3, 2.1];
const [NOISE, FAINTEST] = [0.25, 0.6];

export interface Digits {
  /** [n, 1, side, side], ink from 0 to 1. */
  readonly pictures: Tensor;
  /** [n, classes]: a 1 at the class. */
  readonly truth: Tensor;
  readonly labels: readonly number[];
}

export function drawDigits(n: number, random: Generator): Digits {
  const ink = new Float32Array(n * SIDE ** 2);
  const truth = new Float32Array(n * CLASSES);
  const labels = Array.from({ length: n }, () => random.integer(CLASSES));
  for (const [i, label] of labels.entries()) {
    drawDigit(label, ink.subarray(i * SIDE ** 2, (i + 1) * SIDE ** 2), random);
    truth[i * CLASSES + label] = 1;
  }
  return { pictures: fromData(ink, [n, 1, SIDE, SIDE]), truth: fromData(truth, [n, CLASSES]), labels };
}

function drawDigit(label: number, ink: Float32Array, random: Generator): void {
  const between = (low: number, high: number) => low + (high - low) * random.uniform();
  const [sx, sy] = [between(SMALLEST, LARGEST), between(SMALLEST, LARGEST)];
  const [left, top] = [between(0, SIDE - WIDTH * sx), between(0, SIDE - HEIGHT * sy)];
  const strength = between(FAINTEST, 1);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++) {
      const [column, row] = [Math.floor((x + 0.5 - left) / sx), Math.floor((y + 0.5 - top) / sy)];
      const dot = column >= 0 && column < WIDTH && ((font[label]![row] ?? 0) >> (WIDTH - 1 - column)) & 1;
      ink[y * SIDE + x] = Math.max(0, Math.min(1, (dot ? strength : 0) + NOISE * (random.uniform() - 0.5)));
    }
}
