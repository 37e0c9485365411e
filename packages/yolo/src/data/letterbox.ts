// Fits a picture into a rectangle: scaled as a whole, the rest grey.
import { roundHalfEven } from "../round.ts";
import { resizeBilinear } from "./resize.ts";
import type { Image } from "./types.ts";

/** The level of the border. */
export const borderLevel = 114;

/** Where a picture lands in its input rectangle, in pixels. */
export interface Placement {
  /** Size of the whole rectangle. */
  readonly width: number;
  readonly height: number;
  /** Size and corner of the picture within it. */
  readonly innerWidth: number;
  readonly innerHeight: number;
  readonly left: number;
  readonly top: number;
  /** Input pixels per picture pixel. */
  readonly scaleX: number;
  readonly scaleY: number;
}

/** How {@link placeLetterbox} fits. */
export interface LetterboxOptions {
  /** Pad no more than up to the next multiple of the stride (default false: the full rectangle). */
  readonly auto?: boolean;
  /** Enlarge small pictures (default true). */
  readonly scaleUp?: boolean;
  /** Stretch the picture over the whole rectangle, whatever that does to its shape (default false). */
  readonly fill?: boolean;
  /** Centre the picture (default true), or put it top left. */
  readonly center?: boolean;
  /** Default 32. */
  readonly stride?: number;
}

/** Where a picture lands in a rectangle: the largest it can be without changing its shape, sizes rounded to whole pixels. */
export function placeLetterbox(
  picture: { readonly width: number; readonly height: number },
  target: { readonly width: number; readonly height: number },
  { auto = false, fill = false, scaleUp = true, center = true, stride = 32 }: LetterboxOptions = {},
): Placement {
  if (fill) {
    const scale = { scaleX: target.width / picture.width, scaleY: target.height / picture.height };
    return { ...target, innerWidth: target.width, innerHeight: target.height, left: 0, top: 0, ...scale };
  }
  const fit = Math.min(target.height / picture.height, target.width / picture.width);
  const scale = scaleUp ? fit : Math.min(fit, 1);
  const innerWidth = roundHalfEven(picture.width * scale);
  const innerHeight = roundHalfEven(picture.height * scale);
  const padX = auto ? (target.width - innerWidth) % stride : target.width - innerWidth;
  const padY = auto ? (target.height - innerHeight) % stride : target.height - innerHeight;
  const before = (pad: number) => (center ? halfPad(pad) : 0);
  return {
    width: innerWidth + padX,
    height: innerHeight + padY,
    innerWidth,
    innerHeight,
    left: before(padX),
    top: before(padY),
    scaleX: scale,
    scaleY: scale,
  };
}

/** Where a picture lands whose long side is `size` (the other rounded up), centred in a rectangle at least as large. */
export function placeLongSide(
  picture: { readonly width: number; readonly height: number },
  target: { readonly width: number; readonly height: number },
  size: number,
): Placement {
  const scale = size / Math.max(picture.width, picture.height);
  const innerWidth = Math.min(Math.ceil(picture.width * scale), target.width);
  const innerHeight = Math.min(Math.ceil(picture.height * scale), target.height);
  return {
    ...target,
    innerWidth,
    innerHeight,
    left: halfPad(target.width - innerWidth),
    top: halfPad(target.height - innerHeight),
    scaleX: innerWidth / picture.width,
    scaleY: innerHeight / picture.height,
  };
}

/** The padding before; an odd pixel goes right and below. */
function halfPad(pad: number): number {
  return Math.floor(pad / 2);
}

/** The picture in its rectangle, as {@link placeLetterbox} says. */
export function letterbox(image: Image, placement: Placement): Image {
  const { width, height, innerWidth, innerHeight, left, top } = placement;
  const inner = resizeBilinear(image, innerWidth, innerHeight);
  if (innerWidth === width && innerHeight === height) return inner;
  const data = new Uint8Array(width * height * 3).fill(borderLevel);
  for (let y = 0; y < innerHeight; y++) {
    data.set(inner.data.subarray(y * innerWidth * 3, (y + 1) * innerWidth * 3), ((top + y) * width + left) * 3);
  }
  return { width, height, data };
}
