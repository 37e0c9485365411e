// What Winograd's convolutions share: how operands are described, how tiles are counted, and the scratch of a block.
import { type FilterName, filters, isStrided, patchOf, range } from "../kernels/winograd-matrices.ts";
import type { MapSteps } from "../plan/place.ts";

/** The filter, images and results per image, and the channels on both sides. */
export interface TileSizes {
  readonly filter: FilterName;
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

/** Positions of a patch. */
export const positionsOf = (filter: FilterName): number => patchOf(filters[filter]) ** 2;

/** Positions one plane apart, and how many phases each has: more than 1 for stride 2, fewer where a point is infinity. */
const stridedRuns = (m: number) =>
  range(m + 1).flatMap((i) => [
    { first: (m + 1) * i, positions: m, phases: i < m ? 4 : 2 },
    { first: (m + 1) * i + m, positions: 1, phases: i < m ? 2 : 1 },
  ]);
const strided = { F42: stridedRuns(filters.F42.m), F52: stridedRuns(filters.F52.m) };
export const runsOf = (filter: FilterName) =>
  isStrided(filter) ? strided[filter] : [{ first: 0, positions: positionsOf(filter), phases: 1 }];

/** Tiles of m x m results cover those of all images in the order of images, rows and columns. Those at the end of a size that m does not divide are cut. */
export function gridOf({ filter, N, Ho, Wo }: TileSizes): { m: number; rows: number; columns: number; tiles: number } {
  const { m } = filters[filter];
  const [rows, columns] = [Math.ceil(Ho / m), Math.ceil(Wo / m)];
  return { m, rows, columns, tiles: N * rows * columns };
}

/** Some tiles of one row that a call of a transform takes. */
export interface Call {
  /** The first's place among those of the block. */
  readonly tile: number;
  readonly tiles: number;
  /** Where the first lies: its image, and row and column of its first result. */
  readonly image: number;
  readonly i: number;
  readonly j: number;
  /** A cut tile is moved back so that it stays inside: so many of its first rows (columns) belong to the tile before. */
  readonly skipRows: number;
  readonly skipColumns: number;
}
/** The calls that take a block, the tiles from `first` to `last`: each what a row has of it, and cut ones alone. */
export function callsOf(sizes: TileSizes, first: number, last: number): Call[] {
  const { m, rows, columns } = gridOf(sizes);
  const { Ho, Wo } = sizes;
  const calls: Call[] = [];
  for (let tile = first; tile < last; tile += calls.at(-1)!.tiles) {
    const line = Math.floor(tile / columns);
    const image = Math.floor(line / rows);
    const [i, j] = [m * (line - image * rows), m * (tile - line * columns)];
    const [skipRows, skipColumns] = [Math.max(0, i + m - Ho), Math.max(0, j + m - Wo)];
    const tiles = skipColumns > 0 ? 1 : Math.min(last - tile, Math.floor((Wo - j) / m));
    calls.push({ tile: tile - first, tiles, image, i: i - skipRows, j: j - skipColumns, skipRows, skipColumns });
  }
  return calls;
}
/** The address of a result's pixel, or of the first pixel of its window. */
export const pixelOf = (map: MapSteps, image: number, i: number, j: number): number =>
  map.at + image * map.image + i * map.row + j * map.pixel;

/** Bytes from position to position: an odd number of cache lines, so that positions fall into different cache sets. */
export const planeBytes = (tiles: number, channels: number): number =>
  LINE * (Math.ceil((4 * tiles * channels) / LINE) | 1);

/** Tiles, a multiple of 4, whose transformed values of so many channels take about `bytes`. */
export const tilesIn = (bytes: number, { filter, C, O }: Pick<TileSizes, "filter" | "C" | "O">): number =>
  4 * Math.max(1, Math.min(MOST_TILES / 4, Math.floor(bytes / (4 * 4 * positionsOf(filter) * (C + O)))));
