// The inner product of matmul and convolution: packed panels of doubles, multiplied tile by tile.
//
// Both operands are packed first, whatever their type and strides, into doubles: A in panels of TILE_ROWS rows, B in panels
// of TILE_COLUMNS columns, each panel with the summed index outermost. So the hot loop reads two streams, converts nothing,
// sums in double and meets one array type alone (V8 compiles it once, for that type).
import { copyFunction, perArrayTypes } from "../jit.ts";
import type { FloatArray } from "../strided.ts";

/** Rows of a panel of A. 4 x 2 sums, operands and temporaries fit the 16 registers; 4 x 4 spills and measured slower. */
export const TILE_ROWS = 4;
/** Columns of a panel of B. */
export const TILE_COLUMNS = 2;

/** n rounded up to whole tiles. */
export const padTo = (n: number, tile: number): number => Math.ceil(n / tile) * tile;

const scratches = new Map<string, Float64Array>();

/** A buffer of at least `size` doubles, kept between calls under its name; what it holds is left from the last use. */
export function scratch(name: string, size: number): Float64Array {
  let buffer = scratches.get(name);
  if (buffer === undefined || buffer.length < size) {
    buffer = new Float64Array(size);
    scratches.set(name, buffer);
  }
  return buffer;
}

/**
 * C[i, j] += sum over k of A[i, k] B[k, j] for `rowPanels` x `columnPanels` tiles; C has rows of `width` doubles from C[cAt].
 * A and B start at `aAt` and `bAt` and hold panels of depth K.
 */
export function multiplyPanels(
  A: Float64Array,
  aAt: number,
  B: Float64Array,
  bAt: number,
  C: Float64Array,
  cAt: number,
  width: number,
  rowPanels: number,
  columnPanels: number,
  K: number,
): void {
  for (let j = 0; j < columnPanels; j++)
    for (let i = 0; i < rowPanels; i++) {
      let a = (aAt + i * K * 4) | 0;
      let b = (bAt + j * K * 2) | 0;
      let c00 = 0;
      let c01 = 0;
      let c10 = 0;
      let c11 = 0;
      let c20 = 0;
      let c21 = 0;
      let c30 = 0;
      let c31 = 0;
      for (let k = 0; k < K; k++) {
        const b0 = B[b]!;
        const b1 = B[b + 1]!;
        const a0 = A[a]!;
        c00 += a0 * b0;
        c01 += a0 * b1;
        const a1 = A[a + 1]!;
        c10 += a1 * b0;
        c11 += a1 * b1;
        const a2 = A[a + 2]!;
        c20 += a2 * b0;
        c21 += a2 * b1;
        const a3 = A[a + 3]!;
        c30 += a3 * b0;
        c31 += a3 * b1;
        a = (a + 4) | 0;
        b = (b + 2) | 0;
      }
      let c = (cAt + i * 4 * width + j * 2) | 0;
      C[c] = C[c]! + c00;
      C[c + 1] = C[c + 1]! + c01;
      c = (c + width) | 0;
      C[c] = C[c]! + c10;
      C[c + 1] = C[c + 1]! + c11;
      c = (c + width) | 0;
      C[c] = C[c]! + c20;
      C[c + 1] = C[c + 1]! + c21;
      c = (c + width) | 0;
      C[c] = C[c]! + c30;
      C[c + 1] = C[c + 1]! + c31;
    }
}

function packLoop(
  x: FloatArray,
  at: number,
  rows: number,
  K: number,
  row: number,
  step: number,
  tile: number,
  out: Float64Array,
  to: number,
): void {
  for (let i = 0; i < rows; i++) {
    const lane = i % tile;
    let p = (at + i * row) | 0;
    let q = (to + (i - lane) * K + lane) | 0;
    for (let k = 0; k < K; k++) {
      out[q] = x[p]!;
      p = (p + step) | 0;
      q = (q + tile) | 0;
    }
  }
  for (let i = rows; i % tile !== 0; i++) {
    let q = (to + (i - (i % tile)) * K + (i % tile)) | 0;
    for (let k = 0; k < K; k++) {
      out[q] = 0;
      q = (q + tile) | 0;
    }
  }
}

// Rows side by side in memory are packed with the summed index outermost, which reads along the lines of the cache.
function packLanesLoop(
  x: FloatArray,
  at: number,
  rows: number,
  K: number,
  step: number,
  tile: number,
  out: Float64Array,
  to: number,
): void {
  for (let k = 0; k < K; k++) {
    const p = (at + k * step) | 0;
    let i = 0;
    let q = (to + k * tile) | 0;
    for (; i + tile <= rows; i += tile) {
      for (let lane = 0; lane < tile; lane++) out[q + lane] = x[p + i + lane]!;
      q = (q + tile * K) | 0;
    }
    if (i < rows) for (let lane = 0; lane < tile; lane++) out[q + lane] = i + lane < rows ? x[p + i + lane]! : 0;
  }
}

const pack = perArrayTypes(() => copyFunction(packLoop));
const packLanes = perArrayTypes(() => copyFunction(packLanesLoop));

/** Packs x[at + i * row + k * step], i < rows, k < K, into panels of `tile` rows from out[to]; missing rows become zeros. */
export function packPanels(
  x: FloatArray,
  at: number,
  sizes: {
    readonly rows: number;
    readonly K: number;
    readonly row: number;
    readonly step: number;
    readonly tile: number;
  },
  out: Float64Array,
  to: number,
): void {
  const { rows, K, row, step, tile } = sizes;
  if (row === 1) packLanes(x)(x, at, rows, K, step, tile, out, to);
  else pack(x)(x, at, rows, K, row, step, tile, out, to);
}
