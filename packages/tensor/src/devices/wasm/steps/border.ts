// Zeros around the maps of a batch.
import type { Pair } from "../../../primitives/conv/geometry.ts";
import { type Machine, share } from "./machine.ts";

export interface BorderStep {
  readonly op: "border";
  /** Byte address of the storage. */
  readonly at: number;
  readonly images: number;
  readonly rows: number;
  readonly columns: number;
  readonly border: Pair;
  /** Floats from pixel to pixel. */
  readonly channels: number;
}

export function runBorder({ at, images, rows, columns, border, channels }: BorderStep, machine: Machine): void {
  const [top, left] = border;
  const row = (columns + 2 * left) * channels;
  const edge = left * channels;
  const image = row * (rows + 2 * top);
  const [from, to] = share(images, machine);
  for (let n = from; n < to; n++) {
    const start = at / 4 + n * image;
    const inside = start + top * row;
    machine.floats.fill(0, start, inside + edge);
    for (let i = 1; i < rows; i++) machine.floats.fill(0, inside + i * row - edge, inside + i * row + edge);
    machine.floats.fill(0, inside + rows * row - edge, start + image);
  }
}
