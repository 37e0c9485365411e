// The weight gradient of a convolution 3 x 3 of stride 1 by F(3x3, 2x2) or F(3x3, 4x4), the adjoints of the filters of conv.ts: per
// position an outer product of transformed patches and cotangents, summed over all tiles: 2.25 or 4 times fewer multiplications.
//
// Rounding as in conv.ts, sums over 200 to 12800 pixels, a quarter or a sixteenth of them as tiles: largest error over rms
// 0.9e-6 to 1.1e-5 by F(3x3, 2x2), 2.2e-6 to 1.5e-5 by F(3x3, 4x4), 1.4e-6 to 1.5e-5 by the direct kernel (rms of the error
// 2.2e-7 to 1.7e-6, 5.4e-7 to 2.7e-6 and 2.3e-7 to 2.0e-6). F(3x3, 2x2) gives exact results for whole numbers.
//
// Of stride 2 by F42 and F52: 1.2e-6 to 5.5e-6 over sums of 16 to 900 pixels (rms 2.7e-7 to 7.9e-7).
import { type FilterName, filters, isStrided, patchOf } from "../kernels/winograd-matrices.ts";
import { PANEL } from "../kernels/winograd-product.ts";
import { TRANSFORM_BYTES } from "../kernels/winograd-transform.ts";
import type { MapSteps } from "../plan/place.ts";
import type { Kernels } from "../runtime.ts";
import { type KernelSteps, transformInput } from "./conv.ts";
import { stridedInput, stridedUnpack } from "./strided.ts";
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
 * dw[o][c][u, v] = the sum over n, i, j of x[n][i + u][j + v][c] ct[n][i][j][o]. Ho, Wo >= m, C a multiple of 4, O of 8. Of x
 * nothing is read but the Ho + 2 rows of Wo + 2 pixels from x.at on.
 */
export interface WinogradConvWeight extends TileSizes {
  /** `at` is the pixel that the first tap of result (0, 0) reads. */
  readonly x: MapSteps;
  /** `at` is the cotangent of result (0, 0). */
  readonly ct: MapSteps;
  readonly dw: KernelSteps;
}

/** Scratch for the transformed values of a block of tiles; with stride 2 nothing fits the second-level cache. */
const blockBytes = (filter: FilterName) => (isStrided(filter) ? 1280 * 1024 : 384 * 1024);

/** A section is the sums of so many input and output channels at most: 1 MiB, or 2.3 with stride 2. All tiles pass for each section. */
const sectionChannels = (filter: FilterName) =>
  isStrided(filter) ? 8 * PANEL : PANEL * Math.floor(64 / patchOf(filters[filter]));
const phasesOf = (filter: FilterName) => (isStrided(filter) ? 4 : 1);
/** The largest part when n is cut into equal parts of at most `most`, in multiples of `unit`. */
const sectionOf = (n: number, unit: number, most: number) => unit * Math.ceil(n / unit / Math.ceil(n / most));

/** Bytes of scratch that a thread needs, whatever the number of threads. */
export function winogradConvWeightScratch({ filter, C, O }: Pick<TileSizes, "filter" | "C" | "O">): number {
  const most = sectionChannels(filter);
  const sums = planeBytes(phasesOf(filter) * Math.min(C, most), Math.min(O, most));
  return TRANSFORM_BYTES + positionsOf(filter) * (sums + 2 * planeBytes(1, 1)) + blockBytes(filter);
}

/** Runs this thread's part: some of the input channels. The order of a sum does not depend on the threads. */
export function winogradConvWeight(kernels: Kernels, d: WinogradConvWeight, { thread, threads, scratch }: Part): void {
  const { x, ct, dw, filter, N, Ho, Wo, C, O } = d;
  const groups = C / 4;
  const from = 4 * Math.floor((groups * thread) / threads);
  const to = 4 * Math.floor((groups * (thread + 1)) / threads);
  const most = sectionChannels(filter);
  const [inputs, outputs] = [sectionOf(to - from, 4, most), sectionOf(O, PANEL, most)];
  for (let c = from; c < to; c += inputs)
    for (let o = 0; o < O; o += outputs)
      section(
        kernels,
        {
          x: { at: x.at + 4 * c, image: x.image, row: x.row, pixel: x.pixel },
          ct: { at: ct.at + 4 * o, image: ct.image, row: ct.row, pixel: ct.pixel },
          dw: { at: dw.at + c * dw.c + o * dw.o, o: dw.o, c: dw.c, row: dw.row, tap: dw.tap },
          filter,
          N,
          Ho,
          Wo,
          C: Math.min(inputs, to - c),
          O: Math.min(outputs, O - o),
        },
        scratch,
      );
}

function section(kernels: Kernels, d: WinogradConvWeight, scratch: number): void {
  const { dw, C, O } = d;
  const strided = isStrided(d.filter) && d.filter;
  const input = kernels[`winogradInput${d.filter}`];
  const cotangent = kernels[`winogradCotangent${d.filter}`];
  const { tiles } = gridOf(d);
  const depth = phasesOf(d.filter) * C;
  const block = tilesIn(blockBytes(d.filter), { ...d, C: depth });
  const [vPlane, zPlane, mPlane] = [planeBytes(block, depth), planeBytes(block, O), planeBytes(depth, O)];
  const m = scratch + TRANSFORM_BYTES;
  const v = m + positionsOf(d.filter) * mPlane;
  const z = v + positionsOf(d.filter) * vPlane;
  for (let first = 0; first < tiles; first += block) {
    const last = Math.min(tiles, first + block);
    const calls = callsOf(d, first, last);
    const to = { temporary: scratch, v, plane: vPlane, vTile: 16, vGroup: 16 * block };
    if (strided) stridedInput(kernels, { ...d, filter: strided }, calls, to);
    else transformInput(input, d, calls, to);
    transformCotangent(cotangent, d, calls, { temporary: scratch, z, plane: zPlane, zPanel: 4 * PANEL * block });
    for (const { first: run, positions, phases } of runsOf(d.filter))
      kernels.winogradOuter({
        v: v + run * vPlane,
        z: z + run * zPlane,
        m: m + run * mPlane,
        positions,
        fresh: first === 0 ? 1 : 0,
        tiles: last - first,
        groups: (phases * C) / 4,
        panels: O / PANEL,
        vPlane,
        zPlane,
        mPlane,
        vGroup: 16 * block,
        zPanel: 4 * PANEL * block,
      });
  }
  if (strided) {
    stridedUnpack(kernels, { ...d, filter: strided }, { temporary: scratch, m, plane: mPlane });
    return;
  }
  kernels[`winogradUnpack${d.filter}`]({
    m,
    dw: dw.at,
    panels: O / PANEL,
    depth: C,
    plane: mPlane,
    wColumn: dw.o,
    wDepth: dw.c,
    wRow: dw.row,
    wTap: dw.tap,
  });
}

/** Cotangents of some tiles to z. What a tile that was moved back shares with another counts as zeros. */
function transformCotangent(
  cotangent: Kernels[`winogradCotangent${FilterName}`],
  d: WinogradConvWeight,
  calls: readonly Call[],
  to: { temporary: number; z: number; plane: number; zPanel: number },
): void {
  for (const { tile, tiles, image, i, j, skipRows, skipColumns } of calls)
    cotangent({
      ct: pixelOf(d.ct, image, i, j),
      z: to.z + 4 * PANEL * tile,
      temporary: to.temporary,
      tiles,
      panels: d.O / PANEL,
      ctRow: d.ct.row,
      ctPixel: d.ct.pixel,
      plane: to.plane,
      zPanel: to.zPanel,
      skipRows,
      skipColumns,
    });
}
