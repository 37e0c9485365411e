// Dense convolutions as plain data, run block by block: a block's windows are packed once into scratch memory and meet
// all panels of weights while they lie in the cache. Input gradients and matrix products are the same with other numbers.
import { COLUMN_BYTES, ROW_BYTES, TILE_COLUMNS, TILE_ROWS } from "../kernels/multiply-adds.ts";
import { PLANES } from "../kernels/weight-tiles.ts";
import type { Kernels } from "../runtime.ts";
import { alignLine, blockSize, countOf, type Positions, panelBytes, tableBytes, writePlaces } from "./positions.ts";

/** Packed windows of a block: with the results and a panel they stay in a second-level cache of 512 KB. */
const BLOCK_BYTES = 128 * 1024;
const LEAST_BLOCK = 16;
const LARGEST_BLOCK = 512;

/** result[to][o] = bias[o] + the sum over k < depth of window[from][k] * weight[k][o], as plain numbers. */
export interface DenseStep {
  readonly positions: Positions;
  /** Address of `depth` byte offsets into a window (i32), as if the last run went on up to a multiple of four. */
  readonly offsets: number;
  readonly depth: number;
  /** Address of the panels [1 + depth][8], the first row the bias; columns beyond `channels` may hold anything. */
  readonly weights: number;
  readonly channels: number;
  readonly silu: boolean;
}

const foursOf = (depth: number) => Math.ceil(depth / TILE_ROWS);
/** Pixels of a block at most. */
function mostOf({ depth, positions }: DenseStep): number {
  const fitting = Math.floor(BLOCK_BYTES / (ROW_BYTES * foursOf(depth) * TILE_ROWS)) * TILE_ROWS;
  const all = Math.ceil(countOf(positions) / TILE_ROWS) * TILE_ROWS;
  return Math.min(all, Math.max(LEAST_BLOCK, Math.min(LARGEST_BLOCK, fitting)));
}
/** Bytes of scratch memory that `runDense` needs for any range. */
export const denseScratch = (step: DenseStep): number =>
  2 * tableBytes(mostOf(step)) + ROW_BYTES * foursOf(step.depth) * mostOf(step);

/**
 * Computes the results with numbers first <= p < end and writes nothing else. Any split into ranges gives the same bits:
 * a result is one sum, over k in order.
 */
export function runDense(
  kernels: Kernels,
  step: DenseStep,
  { scratch, first, end }: { readonly scratch: number; readonly first: number; readonly end: number },
): void {
  if (end <= first) return;
  const { positions, offsets, depth, weights, channels, silu } = step;
  const { convTiles, convTilesNarrow, siluPlaces } = kernels;
  const block = blockSize(end - first, mostOf(step), TILE_ROWS);
  const [sources, targets] = [scratch, scratch + tableBytes(block)];
  const windows = targets + tableBytes(block);
  const fours = foursOf(depth);
  const panels = Math.floor(channels / TILE_COLUMNS);
  const rest = channels % TILE_COLUMNS;
  for (let p = first; p < end; p += block) {
    const count = Math.min(block, end - p);
    const tiles = Math.ceil(count / TILE_ROWS);
    writePlaces(kernels, positions, { first: p, count, sources, targets });
    kernels.gatherTiles({ sources, offsets, to: windows, tiles, fours });
    const step = 64 * fours;
    if (panels > 0)
      convTiles({ windows, step, tiles, targets, channel: 0, channels: TILE_COLUMNS, w: weights, depth, panels });
    if (rest > 0) {
      const [channel, w] = [panels * COLUMN_BYTES, weights + panels * panelBytes(1 + depth)];
      convTilesNarrow({ windows, step, tiles, targets, channel, channels: rest, w, depth, panels: 1 });
    }
    if (silu) siluPlaces({ targets, pixels: count, channels });
  }
}

/** The gradient of the weights: dw[k][o] = the sum over positions of window[from][k] * cotangent[to][o]. */
export interface WeightStep {
  readonly positions: Positions;
  /** As in `DenseStep`. */
  readonly offsets: number;
  readonly depth: number;
  readonly channels: number;
  /** Address of the panels [depth, up to a multiple of four][8]; the padding of both ends up holding anything. */
  readonly panels: number;
}

/** Cotangents of a block, all panels: they stay in the second-level cache while the windows pass. */
const COTANGENT_BYTES = 192 * 1024;
const LEAST_WEIGHT_BLOCK = 96;
const LARGEST_WEIGHT_BLOCK = 256;

const panelsOf = (channels: number) => Math.ceil(channels / TILE_COLUMNS);
/** Pixels of a block: of the step alone, so that the order of the sums is too. */
function weightBlock({ channels, positions }: WeightStep): number {
  const fitting = Math.floor(COTANGENT_BYTES / panelBytes(panelsOf(channels)));
  const most = Math.max(LEAST_WEIGHT_BLOCK, Math.min(LARGEST_WEIGHT_BLOCK, fitting));
  return blockSize(countOf(positions), most, 1);
}
/** Bytes from panel to panel of dw. */
const weightPanelBytes = (depth: number): number => panelBytes(foursOf(depth) * TILE_ROWS);
/** Bytes of scratch memory that `runWeight` needs for any range. */
export function weightScratch(step: WeightStep): number {
  const block = weightBlock(step);
  return 2 * tableBytes(block) + PLANES * alignLine(ROW_BYTES * block) + panelsOf(step.channels) * panelBytes(block);
}

/** A rectangle of dw: panels [panel, panelEnd) of 8 channels, and [four, fourEnd) of four rows. */
export interface WeightRange {
  readonly panel: number;
  readonly panelEnd: number;
  readonly four: number;
  readonly fourEnd: number;
}
export const wholeWeight = ({ depth, channels }: WeightStep): WeightRange => ({
  ...{ panel: 0, panelEnd: panelsOf(channels), four: 0, fourEnd: foursOf(depth) },
});

/**
 * Computes a rectangle of dw. Any split into rectangles gives the same bits: the order of the sum over positions and the
 * blocks depend on the step alone. Reads up to 28 bytes behind the last channel of a cotangent where 8 does not divide them.
 */
export function runWeight(
  kernels: Kernels,
  floats: Float32Array,
  step: WeightStep,
  { scratch, panel, panelEnd, four, fourEnd }: WeightRange & { readonly scratch: number },
): void {
  if (panelEnd <= panel || fourEnd <= four) return;
  const { positions, offsets, depth } = step;
  const pixels = countOf(positions);
  const block = weightBlock(step);
  const [sources, targets] = [scratch, scratch + tableBytes(block)];
  const planes = targets + tableBytes(block);
  const cotangents = planes + PLANES * alignLine(ROW_BYTES * block);
  const dwPanel = weightPanelBytes(depth);
  for (let p = panel; p < panelEnd; p++) {
    const at = step.panels + p * dwPanel;
    floats.fill(0, (at + 128 * four) / 4, (at + 128 * fourEnd) / 4);
  }
  for (let first = 0; first < pixels; first += block) {
    const count = Math.min(block, pixels - first);
    const bytes = panelBytes(count);
    writePlaces(kernels, positions, { first, count, sources, targets });
    kernels.gatherPanels({
      sources: targets,
      pixels: count,
      channel: panel * COLUMN_BYTES,
      to: cotangents,
      panels: panelEnd - panel,
      step: bytes,
    });
    kernels.weightTiles({
      sources,
      pixels: count,
      offsets: offsets + 16 * four,
      fours: fourEnd - four,
      planes,
      cotangents,
      panel: bytes,
      panels: panelEnd - panel,
      dw: step.panels + panel * dwPanel + 128 * four,
      dwPanel,
    });
  }
}
