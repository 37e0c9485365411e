// Several training pictures in one: four around a point (mosaic), and two laid over each other (mixup).
import type { Generator } from "@orepa/tensor";
import { borderLevel } from "./letterbox.ts";
import type { Box, LabelledImage } from "./types.ts";

/** Four pictures: top left, top right, bottom left, bottom right. */
export type Tiles = readonly [LabelledImage, LabelledImage, LabelledImage, LabelledImage];

/** The point at which the four meet, in whole pixels of the canvas: uniform over its middle half, two draws. */
export function drawCentre(size: number, generator: Generator): { x: number; y: number } {
  const draw = () => Math.floor(size * (0.5 + generator.uniform()));
  return { x: draw(), y: draw() };
}

/**
 * Four pictures, each with a long side of `size`, around a point of a grey canvas of twice that side; what reaches beyond it is cut off.
 * Boxes are clipped to the canvas and those with nothing left removed.
 */
export function mosaic(
  tiles: Tiles,
  { size, centre }: { readonly size: number; readonly centre: { readonly x: number; readonly y: number } },
): LabelledImage {
  const side = 2 * size;
  const data = new Uint8Array(side * side * 3).fill(borderLevel);
  const boxes: Box[] = [];
  for (const [i, tile] of tiles.entries()) {
    const { width, height } = tile.image;
    const left = i % 2 === 0 ? centre.x - width : centre.x;
    const top = i < 2 ? centre.y - height : centre.y;
    const [from, to] = [Math.max(left, 0), Math.min(left + width, side)];
    for (let y = Math.max(top, 0); y < Math.min(top + height, side); y++) {
      const row = ((y - top) * width - left) * 3;
      data.set(tile.image.data.subarray(row + from * 3, row + to * 3), (y * side + from) * 3);
    }
    for (const [classIndex, cx, cy, w, h] of tile.boxes) {
      const clip = (value: number) => Math.min(Math.max(value / side, 0), 1);
      const [x1, x2] = [clip((cx - w / 2) * width + left), clip((cx + w / 2) * width + left)];
      const [y1, y2] = [clip((cy - h / 2) * height + top), clip((cy + h / 2) * height + top)];
      if (x2 > x1 && y2 > y1) boxes.push([classIndex, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]);
    }
  }
  return { image: { width: side, height: side, data }, boxes };
}

/** Both parameters of the beta distribution of the share. */
const mixupBeta = 32;

/** The share of the first picture in a mixup, distributed as Beta(32, 32) (Zhang et al. 2018). */
export function drawShare(generator: Generator): number {
  // Gamma(n) for whole n is a sum of n exponentials, and X / (X + Y) of two gammas is beta.
  const gamma = () => {
    let sum = 0;
    for (let i = 0; i < mixupBeta; i++) sum -= Math.log(1 - generator.uniform());
    return sum;
  };
  const x = gamma();
  return x / (x + gamma());
}

/** Two pictures of the same size laid over each other, with the boxes of both; levels are rounded down. */
export function mixup(first: LabelledImage, second: LabelledImage, share: number): LabelledImage {
  const { width, height } = first.image;
  const other = second.image.data;
  const data = first.image.data.map((level, i) => level * share + other[i]! * (1 - share));
  return { image: { width, height, data }, boxes: [...first.boxes, ...second.boxes] };
}
