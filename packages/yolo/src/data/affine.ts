// A random affine (or perspective) map of a training picture and its boxes: M = T S R P C.
import type { Generator } from "@orepa/tensor";
import type { Box, LabelledImage } from "./types.ts";
import { compose, identity, type Matrix, warp } from "./warp.ts";

/** Ranges of the random map. */
export interface AffineArgs {
  /** Rotation up to this many degrees either way. */
  readonly degrees: number;
  /** Shift up to this part of the side either way. */
  readonly translate: number;
  /** Scale within 1 - scale to 1 + scale. */
  readonly scale: number;
  /** Shear up to this many degrees either way, along both axes. */
  readonly shear: number;
  /** Perspective up to this many parts per pixel either way (useful: up to 0.001). */
  readonly perspective: number;
}

/** Boxes of at most this many pixels a side are dropped, */
const smallestSide = 2;
/** and those of which at most this part of the scaled area remains, */
const smallestPart = 0.1;
/** and those that are at least this many times longer than wide. */
const largestAspect = 100;

/**
 * A picture and its boxes under a map drawn by chance, in a square of `size`. The map that changes nothing returns both as they are.
 * A box becomes the bounds of its four corners, clipped; it is kept when both sides exceed 2 px, more than a tenth of its scaled area
 * is left and its aspect is below 100.
 */
export function randomAffine(
  { image, boxes }: LabelledImage,
  args: AffineArgs,
  { size, generator }: { readonly size: number; readonly generator: Generator },
): LabelledImage {
  const { matrix, scale } = drawAffine(args, { from: image, size, generator });
  const { width, height } = image;
  if (width === size && height === size && matrix.every((x, i) => x === identity[i])) return { image, boxes };
  const moved = boxes.flatMap((box): Box[] => {
    const found = transformBox(box, matrix, { from: image, size, scale });
    return found === null ? [] : [found];
  });
  return { image: warp(image, matrix, { width: size, height: size }), boxes: moved };
}

/** Eight draws whatever the ranges, so that streams stay aligned. `scale` is the factor of lengths. */
function drawAffine(
  args: AffineArgs,
  options: {
    readonly from: { readonly width: number; readonly height: number };
    readonly size: number;
    readonly generator: Generator;
  },
): { matrix: Matrix; scale: number } {
  const { from, size, generator } = options;
  const within = (range: number) => (2 * generator.uniform() - 1) * range;
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  // C: the centre of the picture becomes the origin.
  const centre: Matrix = [1, 0, -from.width / 2, 0, 1, -from.height / 2, 0, 0, 1];
  const perspective: Matrix = [1, 0, 0, 0, 1, 0, within(args.perspective), within(args.perspective), 1];
  const angle = radians(within(args.degrees));
  const scale = 1 + within(args.scale);
  const cos = scale * Math.cos(angle);
  const sin = scale * Math.sin(angle);
  const rotation: Matrix = [cos, sin, 0, -sin, cos, 0, 0, 0, 1];
  const shear: Matrix = [
    1,
    Math.tan(radians(within(args.shear))),
    0,
    Math.tan(radians(within(args.shear))),
    1,
    0,
    0,
    0,
    1,
  ];
  const x = (0.5 + within(args.translate)) * size;
  const y = (0.5 + within(args.translate)) * size;
  const translation: Matrix = [1, 0, x, 0, 1, y, 0, 0, 1];
  return { matrix: compose(translation, shear, rotation, perspective, centre), scale };
}

/** The box under the map as fractions of the square, or null where too little of it is left. */
function transformBox(
  [classIndex, cx, cy, w, h]: Box,
  [a, b, c, d, e, f, g, k, l]: Matrix,
  options: {
    readonly from: { readonly width: number; readonly height: number };
    readonly size: number;
    readonly scale: number;
  },
): Box | null {
  const { from, size, scale } = options;
  const [left, right] = [(cx - w / 2) * from.width, (cx + w / 2) * from.width];
  const [top, bottom] = [(cy - h / 2) * from.height, (cy + h / 2) * from.height];
  const corners = [
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ] as const;
  const depths = corners.map(([x, y]) => g * x + k * y + l);
  // A corner behind the eye has no place in the picture.
  if (depths.some((depth) => depth <= 0)) return null;
  const xs = corners.map(([x, y], i) => (a * x + b * y + c) / depths[i]!);
  const ys = corners.map(([x, y], i) => (d * x + e * y + f) / depths[i]!);
  const clip = (value: number) => Math.min(Math.max(value, 0), size);
  const [x1, y1] = [clip(Math.min(...xs)), clip(Math.min(...ys))];
  const [x2, y2] = [clip(Math.max(...xs)), clip(Math.max(...ys))];
  const [width, height] = [x2 - x1, y2 - y1];
  const areaBefore = (right - left) * (bottom - top) * scale * scale;
  const isKept =
    width > smallestSide &&
    height > smallestSide &&
    width * height > smallestPart * areaBefore &&
    Math.max(width / height, height / width) < largestAspect;
  if (!isKept) return null;
  return [classIndex, (x1 + x2) / 2 / size, (y1 + y2) / 2 / size, width / size, height / size];
}
