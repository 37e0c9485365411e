// The windows and results of a convolution as plain numbers, and the part of them that one block takes.
import { COLUMN_BYTES, TILE_ROWS } from "../kernels/multiply-adds.ts";
import type { MapSteps } from "../plan/place.ts";
import type { Kernels } from "../runtime.ts";

/**
 * `columns` x `rows` x `images` windows, numbered in this order, and what belongs to each: the result, or its cotangent.
 * `from` and `to` hold the first window and result, and the steps to the next along each axis.
 */
export interface Positions {
  readonly images: number;
  readonly rows: number;
  readonly columns: number;
  readonly from: MapSteps;
  readonly to: MapSteps;
}
export const countOf = ({ images, rows, columns }: Positions): number => images * rows * columns;

/** Writes the addresses of `count` windows and results from number `first` on, padded to a multiple of four. */
export function writePlaces(
  kernels: Kernels,
  { rows, columns, from, to }: Positions,
  block: { readonly first: number; readonly count: number; readonly sources: number; readonly targets: number },
): void {
  const column = block.first % columns;
  const line = Math.floor(block.first / columns);
  const row = line % rows;
  const image = Math.floor(line / rows);
  const start = (s: MapSteps) => s.at + image * s.image + row * s.row + column * s.pixel;
  kernels.walk({
    sources: block.sources,
    targets: block.targets,
    pixels: block.count,
    from: start(from),
    to: start(to),
    column,
    row,
    columns,
    rows,
    fromPixel: from.pixel,
    fromRow: from.row - columns * from.pixel,
    fromImage: from.image - rows * from.row,
    toPixel: to.pixel,
    toRow: to.row - columns * to.pixel,
    toImage: to.image - rows * to.row,
  });
}

const LINE = 64;
/** The next multiple of a cache line. */
export const alignLine = (bytes: number): number => Math.ceil(bytes / LINE) * LINE;
/** Bytes of a table of places. */
export const tableBytes = (pixels: number): number => alignLine(4 * (pixels + TILE_ROWS));
/** Bytes of a panel of `rows` rows. */
export const panelBytes = (rows: number): number => COLUMN_BYTES * rows;
/** Blocks of equal size, a multiple of `unit`, none larger than `most`. */
export function blockSize(total: number, most: number, unit: number): number {
  const blocks = Math.max(1, Math.ceil(total / most));
  return Math.max(unit, Math.ceil(total / blocks / unit) * unit);
}
