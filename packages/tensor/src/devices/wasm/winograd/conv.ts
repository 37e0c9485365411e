// The convolution 3 x 3 of stride 1 by F(2x2, 3x3) or F(4x4, 3x3), and with turned weights its input gradient: 2.25 or 4 times
// fewer multiplications than the direct kernel.
//
// Rounding, float32 against float64 sums, normal weights, 16 to 256 channels, error over rms of the result:
//              largest             rms
//   direct     1.8e-6 to 8.9e-6    2.1e-7 to 8.4e-7
//   F(2x2)     0.8e-6 to 2.5e-6    1.6e-7 to 5.2e-7
//   F(4x4)     3.0e-6 to 1.2e-5    5.0e-7 to 1.6e-6
// The transforms round, those of F(4x4) more, but a sum has a ninth of the additions in a row. F(2x2) gives exact results for
// whole numbers: G halves twice, so all values are multiples of 1/4.
//
// Also the convolution 3 x 3 of stride 2 and padding 1 and its input gradient, by F52 with 121 multiplications for 5 x 5 results
// instead of 225, by F42 with 81 for 4 x 4 instead of 144: 2.0e-6 to 1.2e-5 and 3.2e-7 to 1.8e-6 for 8 to 136 channels.
import { type FilterName, filters, isStrided } from "../kernels/winograd-matrices.ts";
import { FOUR, PANEL } from "../kernels/winograd-product.ts";
import { TRANSFORM_BYTES } from "../kernels/winograd-transform.ts";
import type { MapSteps } from "../plan/place.ts";
import type { Kernels } from "../runtime.ts";
import { stridedGradient, stridedInput, stridedPack } from "./strided.ts";
import {
  type Call,
  callsOf,
  gridOf,
  type Part,
  pixelOf,
  planeBytes,
  positionsOf,
  runsOf,
  type TileSizes,
  tilesIn,
} from "./tiles.ts";

/**
 * y[n][i][j] = bias + the sum over taps u, v of x[n][i + u][j + v] times the weights. Ho, Wo >= m, C a multiple of 4, O of
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
  /** The input gradient of stride 2: Ho and Wo are those of x, multiples of m, and y is twice as large. */
  readonly turned?: boolean;
}
/** A kernel of every pair of channels in memory, row-major or not. */
export interface KernelSteps {
  /** Address of the first tap of the first channels. */
  readonly at: number;
  /** Bytes from output channel to output channel. */
  readonly o: number;
  /** Bytes from input channel to input channel. */
  readonly c: number;
  /** Bytes from row to row of taps. */
  readonly row: number;
  /** Bytes from tap to tap of a row. */
  readonly tap: number;
}

type Sizes = Pick<TileSizes, "filter" | "C" | "O">;
/** Scratch for a block: fits the second-level cache with the weights of a position; those of stride 2 do not. */
const blockBytes = (filter: FilterName) => (isStrided(filter) ? 1792 * 1024 : 192 * 1024);

/** Tiles of a block, and of a tile the floats that a position sums over and makes, with all phases of stride 2. */
function blockOf({ filter, C, O, turned = false }: Sizes & Pick<WinogradConv, "turned">) {
  const [depth, width] = !isStrided(filter) ? [C, O] : turned ? [C, 4 * O] : [4 * C, O];
  const block = tilesIn(blockBytes(filter), { filter, C: depth, O: width });
  return { block, depth, width, vPlane: planeBytes(block, depth), mPlane: planeBytes(block, width) };
}
/** Bytes of scratch that a thread needs. */
export function winogradScratch(d: Sizes & Pick<WinogradConv, "turned">): number {
  const { vPlane, mPlane } = blockOf(d);
  return TRANSFORM_BYTES + positionsOf(d.filter) * (vPlane + mPlane);
}

/** Bytes of the transformed weights. */
export const winogradWeightBytes = ({ filter, C, O }: Sizes): number =>
  positionsOf(filter) * planeBytes(isStrided(filter) ? 4 * C : C, O);

/**
 * Transforms the weights w of O x C kernels to u, for the convolution, or `turned` for its input gradient (whose
 * results are the C channels). Threads share the panels of 8 result channels.
 */
export function winogradPack(
  kernels: Kernels,
  d: Sizes & { readonly w: KernelSteps; readonly u: number; readonly turned: boolean },
  part: Part,
): void {
  const { filter, w, u, turned } = d;
  if (isStrided(filter)) {
    stridedPack(kernels, { ...d, filter }, part);
    return;
  }
  const { thread, threads } = part;
  const [columns, depth] = turned ? [d.C, d.O] : [d.O, d.C];
  const [wColumn, wDepth] = turned ? [w.c, w.o] : [w.o, w.c];
  const panels = columns / PANEL;
  const first = Math.floor((panels * thread) / threads);
  const count = Math.floor((panels * (thread + 1)) / threads) - first;
  if (count === 0) return;
  const lastTap = (filters[filter].r - 1) * (w.row + w.tap);
  kernels[`winogradPack${filter}`]({
    w: w.at + PANEL * first * wColumn + (turned ? lastTap : 0),
    u: u + 4 * PANEL * first * depth,
    panels: count,
    depth,
    plane: planeBytes(columns, depth),
    wColumn,
    wDepth,
    wRow: turned ? -w.row : w.row,
    wTap: turned ? -w.tap : w.tap,
  });
}

/** Runs this thread's tiles. Every result is computed alone, so it does not depend on the threads. */
export function winogradConv(kernels: Kernels, d: WinogradConv, { thread, threads, scratch }: Part): void {
  const strided = isStrided(d.filter) && d.filter;
  // A kernel is looked up once: names that are put together cost microseconds.
  const input = kernels[`winogradInput${d.filter}`];
  const output = d.silu ? kernels[`winogradOutputSilu${d.filter}`] : kernels[`winogradOutput${d.filter}`];
  const { tiles } = gridOf(d);
  const fours = Math.ceil(tiles / FOUR);
  const last = Math.min(tiles, FOUR * Math.floor((fours * (thread + 1)) / threads));
  const { block, depth, width, vPlane, mPlane } = blockOf(d);
  const uPlane = planeBytes(depth, width);
  const v = scratch + TRANSFORM_BYTES;
  const m = v + positionsOf(d.filter) * vPlane;
  for (let first = FOUR * Math.floor((fours * thread) / threads); first < last; first += block) {
    const end = Math.min(last, first + block);
    const calls = callsOf(d, first, end);
    const to = { temporary: scratch, v, plane: vPlane, vTile: 4 * depth, vGroup: 16 };
    if (strided && !d.turned) stridedInput(kernels, { ...d, filter: strided }, calls, to);
    else transformInput(input, d, calls, to);
    for (const { first: run, positions, phases } of runsOf(d.filter))
      kernels.winogradProduct({
        v: v + run * vPlane,
        u: d.u + run * uPlane,
        m: m + run * mPlane,
        positions,
        fours: Math.ceil((end - first) / FOUR),
        depth: depth > d.C ? phases * d.C : depth,
        panels: (width > d.O ? phases * d.O : width) / PANEL,
        vTile: 4 * depth,
        mTile: 4 * width,
        vPlane,
        uPlane,
        mPlane,
      });
    const from = { temporary: scratch, m, plane: mPlane };
    if (strided && d.turned) stridedGradient(kernels, { ...d, filter: strided }, calls, { ...from, mTile: 4 * width });
    else transformOutput(output, d, calls, from);
  }
}

/** Patches of some tiles to v. */
export function transformInput(
  input: Kernels[`winogradInput${FilterName}`],
  d: TileSizes & { readonly x: MapSteps },
  calls: readonly Call[],
  to: { temporary: number; v: number; plane: number; vTile: number; vGroup: number },
): void {
  for (const { tile, tiles, image, i, j } of calls)
    input({
      x: pixelOf(d.x, image, i, j),
      v: to.v + tile * to.vTile,
      temporary: to.temporary,
      tiles,
      groups: d.C / 4,
      xRow: d.x.row,
      xPixel: d.x.pixel,
      plane: to.plane,
      vTile: to.vTile,
      vGroup: to.vGroup,
    });
}

/** Products of some tiles to y. */
function transformOutput(
  output: Kernels[`winogradOutput${FilterName}`],
  d: WinogradConv,
  calls: readonly Call[],
  from: { temporary: number; m: number; plane: number },
): void {
  const { y, O } = d;
  for (const { tile, tiles, image, i, j, skipRows, skipColumns } of calls)
    output({
      m: from.m + tile * 4 * O,
      y: pixelOf(y, image, i + skipRows, j + skipColumns),
      temporary: from.temporary,
      bias: d.bias,
      tiles,
      groups: O / 4,
      yRow: y.row,
      yPixel: y.pixel,
      skipRows,
      skipColumns,
      plane: from.plane,
      mTile: 4 * O,
    });
}
