// The weight gradient of a convolution 3 x 3 of stride 1 by F(3x3, 2x2), the adjoint of F(2x2, 3x3): per position an
// outer product of transformed patches and cotangents, summed over all tiles: 2.25 times fewer multiplications.
//
// Rounding as in conv.ts: largest error over rms 2.1e-6 to 8.5e-6, the direct kernel 2.6e-6 to 1.7e-5 (sums over 200 to
// 12800 pixels, a quarter of them as tiles). Whole numbers give exact results.
import { PANEL, POSITIONS } from "../kernels/winograd-product.ts";
import type { MapSteps } from "../plan/place.ts";
import type { Kernels } from "../runtime.ts";
import { type KernelSteps, transformInput } from "./conv.ts";
import { countTiles, type Part, planeBytes, type TileSizes, tilesIn, tilesInCall } from "./tiles.ts";

/**
 * dw[o][c][u, v] = the sum over n, i, j of x[n][i + u][j + v][c] ct[n][i][j][o]. Ho, Wo >= 2, C a multiple of 4, O of 8. Of x
 * nothing is read but the Ho + 2 rows of Wo + 2 pixels from x.at on.
 */
export interface WinogradConvWeight extends TileSizes {
  /** `at` is the pixel that the first tap of result (0, 0) reads. */
  readonly x: MapSteps;
  /** `at` is the cotangent of result (0, 0). */
  readonly ct: MapSteps;
  readonly dw: KernelSteps;
}

/** A section is the sums of so many input and output channels at most: 1 MiB. All tiles pass for each section. */
const SECTION = 128;
/** Scratch for the transformed values of a block of tiles. */
const BLOCK_BYTES = 384 * 1024;

/** The largest part when n is cut into equal parts of at most SECTION, in multiples of `unit`. */
const sectionOf = (n: number, unit: number) => unit * Math.ceil(n / unit / Math.ceil(n / SECTION));

/** Bytes of scratch that a thread needs, whatever the number of threads. */
export const winogradConvWeightScratch = ({ C, O }: { C: number; O: number }): number =>
  POSITIONS * planeBytes(Math.min(C, SECTION), Math.min(O, SECTION)) + BLOCK_BYTES + 2 * POSITIONS * planeBytes(1, 1);

/** Runs this thread's part: some of the input channels. The order of a sum does not depend on the threads. */
export function winogradConvWeight(kernels: Kernels, d: WinogradConvWeight, { thread, threads, scratch }: Part): void {
  const { x, ct, dw, N, Ho, Wo, C, O } = d;
  const groups = C / 4;
  const from = 4 * Math.floor((groups * thread) / threads);
  const to = 4 * Math.floor((groups * (thread + 1)) / threads);
  const [inputs, outputs] = [sectionOf(to - from, 4), sectionOf(O, PANEL)];
  for (let c = from; c < to; c += inputs)
    for (let o = 0; o < O; o += outputs)
      section(
        kernels,
        {
          x: { at: x.at + 4 * c, image: x.image, row: x.row, pixel: x.pixel },
          ct: { at: ct.at + 4 * o, image: ct.image, row: ct.row, pixel: ct.pixel },
          dw: { at: dw.at + c * dw.c + o * dw.o, o: dw.o, c: dw.c, tap: dw.tap },
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
  const { tiles } = countTiles(d);
  const block = tilesIn(BLOCK_BYTES, C + O);
  const [vPlane, zPlane, mPlane] = [planeBytes(block, C), planeBytes(block, O), planeBytes(C, O)];
  const v = scratch + POSITIONS * mPlane;
  const z = v + POSITIONS * vPlane;
  for (let tile = 0; tile < tiles; tile += block) {
    const end = Math.min(tiles, tile + block);
    transformInput(kernels, d, { first: tile, last: end, v, plane: vPlane, vTile: 16, vGroup: 16 * block });
    transformCotangent(kernels, d, { first: tile, last: end, z, plane: zPlane, zPanel: 4 * PANEL * block });
    kernels.winogradOuter({
      v,
      z,
      m: scratch,
      fresh: tile === 0 ? 1 : 0,
      tiles: end - tile,
      groups: C / 4,
      panels: O / PANEL,
      vPlane,
      zPlane,
      mPlane,
      vGroup: 16 * block,
      zPanel: 4 * PANEL * block,
    });
  }
  kernels.winogradUnpack({
    m: scratch,
    dw: dw.at,
    panels: O / PANEL,
    depth: C,
    plane: mPlane,
    wColumn: dw.o,
    wDepth: dw.c,
    wTap: dw.tap,
  });
}

/** Cotangents of some tiles to z. A tile that was moved back counts its first row or column as zeros. */
function transformCotangent(
  kernels: Kernels,
  d: WinogradConvWeight,
  to: { first: number; last: number; z: number; plane: number; zPanel: number },
): void {
  const { ct, Ho, Wo, O } = d;
  const { rows, columns } = countTiles(d);
  for (let tile = to.first; tile < to.last; ) {
    const tiles = tilesInCall(tile, to.last, columns, Wo);
    const line = Math.floor(tile / columns);
    const [i, j] = [2 * (line % rows), 2 * (tile % columns)];
    const [cutRow, cutColumn] = [i + 1 === Ho, j + 1 === Wo];
    kernels.winogradCotangent({
      ct:
        ct.at +
        Math.floor(line / rows) * ct.image +
        (i - (cutRow ? 1 : 0)) * ct.row +
        (j - (cutColumn ? 1 : 0)) * ct.pixel,
      z: to.z + 4 * PANEL * (tile - to.first),
      tiles,
      panels: O / PANEL,
      ctRow: ct.row,
      ctPixel: ct.pixel,
      plane: to.plane,
      zPanel: to.zPanel,
      firstRow: cutRow ? 0 : -1,
      firstColumn: cutColumn ? 0 : -1,
    });
    tile += tiles;
  }
}
