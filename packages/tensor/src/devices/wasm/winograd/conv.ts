// The convolution 3 x 3 of stride 1 by F(2x2, 3x3), and with turned weights its input gradient: 2.25 times fewer
// multiplications than the direct kernel.
//
// Rounding, largest error over rms of the result, float32 against float64 sums, normal weights, 16 to 128 channels:
// 0.9e-6 to 2.2e-6; the direct kernel 1.8e-6 to 6.7e-6 (rms of the error 1.4e-7 to 3.7e-7 against 1.6e-7 to 6.0e-7). The
// transforms round, but a sum has a ninth of the additions in a row. Whole numbers give exact results: G halves twice, so all
// values are multiples of 1/4.
import { FOUR, PANEL, POSITIONS } from "../kernels/winograd-product.ts";
import type { MapSteps } from "../plan/place.ts";
import type { Kernels } from "../runtime.ts";
import { countTiles, type Part, planeBytes, type TileSizes, tilesIn, tilesInCall } from "./tiles.ts";

/**
 * y[n][i][j] = bias + the sum over taps u, v of x[n][i + u][j + v] times the weights. Ho, Wo >= 2, C a multiple of 4, O of
 * 8. Nothing is read but the Ho + 2 rows of Wo + 2 pixels from x.at on, nothing written but y.
 */
export interface WinogradConv extends TileSizes {
  /** `at` is the pixel that the first tap of result (0, 0) reads: a corner of the border if there is one. */
  readonly x: MapSteps;
  /** `at` is result (0, 0). */
  readonly y: MapSteps;
  /** Address of the weights that `winogradPack` made. */
  readonly u: number;
  /** Address of O floats, or 0. */
  readonly bias: number;
  /** Writes silu(y) instead of y. */
  readonly silu: boolean;
}
/** A kernel 3 x 3 of every pair of channels in memory, row-major or not. */
export interface KernelSteps {
  /** Address of the first tap of the first channels. */
  readonly at: number;
  /** Bytes from output channel to output channel. */
  readonly o: number;
  /** Bytes from input channel to input channel. */
  readonly c: number;
  /** Bytes from tap to tap, three a row. */
  readonly tap: number;
}

const LAST_TAP = 8;
/** Scratch for a block: fits the second-level cache with the weights of a position. */
const BLOCK_BYTES = 192 * 1024;

/** Bytes of scratch that a thread needs. */
export function winogradScratch({ C, O }: { C: number; O: number }): number {
  const block = tilesIn(BLOCK_BYTES, C + O);
  return POSITIONS * (planeBytes(block, C) + planeBytes(block, O));
}

/** Bytes of the transformed weights. */
export const winogradWeightBytes = ({ C, O }: { C: number; O: number }): number => POSITIONS * planeBytes(C, O);

/**
 * Transforms the weights w of O x C kernels to u, for the convolution, or `turned` for its input gradient (whose
 * results are the C channels). Threads share the panels of 8 result channels.
 */
export function winogradPack(
  kernels: Kernels,
  d: { readonly w: KernelSteps; readonly u: number; readonly C: number; readonly O: number; readonly turned: boolean },
  { thread, threads }: Pick<Part, "thread" | "threads">,
): void {
  const { w, u, turned } = d;
  const [columns, depth] = turned ? [d.C, d.O] : [d.O, d.C];
  const [wColumn, wDepth] = turned ? [w.c, w.o] : [w.o, w.c];
  const panels = columns / PANEL;
  const first = Math.floor((panels * thread) / threads);
  const count = Math.floor((panels * (thread + 1)) / threads) - first;
  if (count === 0) return;
  kernels.winogradPack({
    w: w.at + PANEL * first * wColumn + (turned ? LAST_TAP * w.tap : 0),
    u: u + 4 * PANEL * first * depth,
    panels: count,
    depth,
    plane: planeBytes(columns, depth),
    wColumn,
    wDepth,
    wTap: turned ? -w.tap : w.tap,
  });
}

/** Runs this thread's tiles. Every result is computed alone, so it does not depend on the threads. */
export function winogradConv(kernels: Kernels, d: WinogradConv, { thread, threads, scratch }: Part): void {
  const { tiles } = countTiles(d);
  const fours = Math.ceil(tiles / FOUR);
  const last = Math.min(tiles, FOUR * Math.floor((fours * (thread + 1)) / threads));
  const block = tilesIn(BLOCK_BYTES, d.C + d.O);
  const [vPlane, mPlane] = [planeBytes(block, d.C), planeBytes(block, d.O)];
  const m = scratch + POSITIONS * vPlane;
  for (let tile = FOUR * Math.floor((fours * thread) / threads); tile < last; tile += block) {
    const end = Math.min(last, tile + block);
    transformInput(kernels, d, { first: tile, last: end, v: scratch, plane: vPlane, vTile: 4 * d.C, vGroup: 16 });
    kernels.winogradProduct({
      v: scratch,
      u: d.u,
      m,
      fours: Math.ceil((end - tile) / FOUR),
      depth: d.C,
      panels: d.O / PANEL,
      vPlane,
      uPlane: planeBytes(d.C, d.O),
      mPlane,
      vTile: 4 * d.C,
      mTile: 4 * d.O,
    });
    transformOutput(kernels, d, { first: tile, last: end, m, plane: mPlane });
  }
}

/** Patches of some tiles to v. The last patch of an odd size is moved back by one, so that it stays inside. */
export function transformInput(
  kernels: Kernels,
  { x, Ho, Wo, N, C, O }: TileSizes & { readonly x: MapSteps },
  to: { first: number; last: number; v: number; plane: number; vTile: number; vGroup: number },
): void {
  const { rows, columns } = countTiles({ N, Ho, Wo, C, O });
  for (let tile = to.first; tile < to.last; ) {
    const tiles = tilesInCall(tile, to.last, columns, Wo);
    const line = Math.floor(tile / columns);
    const i = Math.min(2 * (line % rows), Ho - 2);
    const j = Math.min(2 * (tile % columns), Wo - 2);
    kernels.winogradInput({
      x: x.at + Math.floor(line / rows) * x.image + i * x.row + j * x.pixel,
      v: to.v + (tile - to.first) * to.vTile,
      tiles,
      groups: C / 4,
      xRow: x.row,
      xPixel: x.pixel,
      plane: to.plane,
      vTile: to.vTile,
      vGroup: to.vGroup,
    });
    tile += tiles;
  }
}

/** Products of some tiles to y. A cut tile, computed one further back, writes its second row or column alone. */
function transformOutput(
  kernels: Kernels,
  d: WinogradConv,
  from: { first: number; last: number; m: number; plane: number },
): void {
  const { y, Ho, Wo, O } = d;
  const { rows, columns } = countTiles(d);
  const output = d.silu ? kernels.winogradOutputSilu : kernels.winogradOutput;
  for (let tile = from.first; tile < from.last; ) {
    const tiles = tilesInCall(tile, from.last, columns, Wo);
    const line = Math.floor(tile / columns);
    const [i, j] = [2 * (line % rows), 2 * (tile % columns)];
    output({
      m: from.m + (tile - from.first) * 4 * O,
      y: y.at + Math.floor(line / rows) * y.image + i * y.row + j * y.pixel,
      bias: d.bias,
      tiles,
      groups: O / 4,
      yRow: i + 1 < Ho ? y.row : 0,
      yPixel: j + 1 < Wo ? y.pixel : 0,
      plane: from.plane,
      mTile: 4 * O,
    });
    tile += tiles;
  }
}
