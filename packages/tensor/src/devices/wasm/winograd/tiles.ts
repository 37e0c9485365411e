// What Winograd's convolutions share: how operands are described, how tiles are counted, and the scratch of a block.
import { POSITIONS } from "../kernels/winograd-product.ts";

/** Images and results per image of a convolution 3 x 3, and the channels on both sides. */
export interface TileSizes {
  readonly N: number;
  readonly Ho: number;
  readonly Wo: number;
  readonly C: number;
  readonly O: number;
}
/** One thread's part of the work, and the address of scratch that is its own. */
export interface Part {
  readonly thread: number;
  readonly threads: number;
  readonly scratch: number;
}

const LINE = 64;
/** Most tiles of a block: beyond, nothing is gained. */
const MOST_TILES = 256;

/** Tiles of 2 x 2 results; those at the end of an odd size are cut. All tiles of all images have one order: n, row, column. */
export function countTiles({ N, Ho, Wo }: TileSizes): { rows: number; columns: number; tiles: number } {
  const [rows, columns] = [(Ho + 1) >> 1, (Wo + 1) >> 1];
  return { rows, columns, tiles: N * rows * columns };
}

/** How many of the tiles from `tile` to `last` one call may take: those of one row; a cut one comes alone. */
export function tilesInCall(tile: number, last: number, columns: number, Wo: number): number {
  const column = tile % columns;
  const whole = columns - (Wo & 1);
  return column < whole ? Math.min(last - tile, whole - column) : 1;
}

/** Bytes from position to position: an odd number of cache lines, so that positions fall into different cache sets. */
export const planeBytes = (tiles: number, channels: number): number =>
  LINE * (Math.ceil((4 * tiles * channels) / LINE) | 1);

/** Tiles, a multiple of 4, whose transformed values of so many channels take about `bytes`. */
export const tilesIn = (bytes: number, channels: number): number =>
  4 * Math.max(1, Math.min(MOST_TILES / 4, Math.floor(bytes / (4 * 4 * POSITIONS * channels))));
