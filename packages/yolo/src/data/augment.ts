// Random changes of a training picture: colour in 8-bit HSV, and flips. Pure functions; the chance comes from outside.
import type { Generator } from "@orepa/tensor";
import type { Box, Image, LabelledImage } from "./types.ts";

/** Strengths and chances of the changes. */
export interface AugmentArgs {
  readonly hsv_h: number;
  readonly hsv_s: number;
  readonly hsv_v: number;
  readonly flipud: number;
  readonly fliplr: number;
}

/** A picture and its boxes, changed by chance: the same number of draws whatever the outcome, so that streams stay aligned. */
export function augment({ image, boxes }: LabelledImage, args: AugmentArgs, generator: Generator): LabelledImage {
  const gain = (strength: number) => 1 + (2 * generator.uniform() - 1) * strength;
  const gains: readonly [number, number, number] = [gain(args.hsv_h), gain(args.hsv_s), gain(args.hsv_v)];
  const flipDown = generator.uniform() < args.flipud;
  const flipAcross = generator.uniform() < args.fliplr;
  const changesColour = args.hsv_h > 0 || args.hsv_s > 0 || args.hsv_v > 0;
  let changed = changesColour ? scaleHsv(image, gains) : image;
  if (flipDown) changed = flipVertical(changed);
  if (flipAcross) changed = flipHorizontal(changed);
  const moved = boxes.map(([c, cx, cy, w, h]): Box => [c, flipAcross ? 1 - cx : cx, flipDown ? 1 - cy : cy, w, h]);
  return { image: changed, boxes: moved };
}

/** The picture upside down. */
export function flipVertical({ width, height, data }: Image): Image {
  const out = new Uint8Array(data.length);
  const stride = width * 3;
  for (let y = 0; y < height; y++) out.set(data.subarray(y * stride, (y + 1) * stride), (height - 1 - y) * stride);
  return { width, height, data: out };
}

/** The picture's mirror image. */
export function flipHorizontal({ width, height, data }: Image): Image {
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * 3;
      const to = (y * width + width - 1 - x) * 3;
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return { width, height, data: out };
}

/** Hues are halved degrees so that they fit a byte. */
const hues = 180;

/** Hue, saturation and value multiplied by gains through tables of bytes: the hue turns round, the others end at 255. */
export function scaleHsv(image: Image, [hue, saturation, value]: readonly [number, number, number]): Image {
  const table = (f: (i: number) => number) => Uint8Array.from({ length: 256 }, (_, i) => Math.trunc(f(i)));
  const hueTable = table((i) => (i * hue) % hues);
  const saturationTable = table((i) => Math.min(i * saturation, 255));
  const valueTable = table((i) => Math.min(i * value, 255));
  const hsv = toHsv(image);
  for (let i = 0; i < hsv.length; i += 3) {
    hsv[i] = hueTable[hsv[i]!]!;
    hsv[i + 1] = saturationTable[hsv[i + 1]!]!;
    hsv[i + 2] = valueTable[hsv[i + 2]!]!;
  }
  return { width: image.width, height: image.height, data: fromHsv(hsv) };
}

/** Bits behind the point in the tables of quotients; with them the bytes equal those of the common image library. */
const fixedBits = 12;
const fixedHalf = 1 << (fixedBits - 1);
const fixedQuotients = (numerator: number) =>
  Int32Array.from({ length: 256 }, (_, i) => (i === 0 ? 0 : Math.round((numerator * 2 ** fixedBits) / i)));
const hueScale = fixedQuotients(hues / 6);
const saturationScale = fixedQuotients(255);

/** 8-bit HSV triples: hue 0..179 (half degrees), saturation and value 0..255 (Smith 1978). */
export function toHsv({ data }: Image): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    const r = data[i]!;
    const g = data[i + 1]!;
    const b = data[i + 2]!;
    const v = Math.max(r, g, b);
    const range = v - Math.min(r, g, b);
    // The hue in sixths of a turn, times the range.
    const sixths = v === r ? g - b : v === g ? b - r + 2 * range : r - g + 4 * range;
    const h = (sixths * hueScale[range]! + fixedHalf) >> fixedBits;
    out[i] = h < 0 ? h + hues : h;
    out[i + 1] = (range * saturationScale[v]! + fixedHalf) >> fixedBits;
    out[i + 2] = v;
  }
  return out;
}

/** Of every hue: the sector of 60 degrees, and how far into it. */
const sectors = Uint8Array.from({ length: 256 }, (_, h) => Math.floor(h / 30) % 6);
const fractions = Float64Array.from({ length: 256 }, (_, h) => h / 30 - Math.floor(h / 30));

/** RGB bytes of 8-bit HSV triples. */
export function fromHsv(hsv: Uint8Array): Uint8Array {
  const out = new Uint8Array(hsv.length);
  for (let i = 0; i < hsv.length; i += 3) {
    const s = hsv[i + 1]! / 255;
    const v = hsv[i + 2]!;
    const f = fractions[hsv[i]!]!;
    // Rounded: none of them is negative.
    const low = (v * (1 - s) + 0.5) | 0;
    const falling = (v * (1 - s * f) + 0.5) | 0;
    const rising = (v * (1 - s * (1 - f)) + 0.5) | 0;
    // The sectors in order: red to yellow, to green, to cyan, to blue, to magenta, to red.
    switch (sectors[hsv[i]!]) {
      case 0:
        put(out, i, v, rising, low);
        break;
      case 1:
        put(out, i, falling, v, low);
        break;
      case 2:
        put(out, i, low, v, rising);
        break;
      case 3:
        put(out, i, low, falling, v);
        break;
      case 4:
        put(out, i, rising, low, v);
        break;
      default:
        put(out, i, v, low, falling);
    }
  }
  return out;
}

function put(out: Uint8Array, at: number, r: number, g: number, b: number): void {
  out[at] = r;
  out[at + 1] = g;
  out[at + 2] = b;
}
