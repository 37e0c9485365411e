// Batched matrix product: blocks of both operands packed into panels that stay in the cache, multiplied tile by tile.
import { copyFunction, perArrayTypes } from "../jit.ts";
import type { FloatArray } from "../strided.ts";
import type { MatmulGeometry } from "./naive.ts";
import { multiplyPanels, packPanels, padTo, scratch, TILE_COLUMNS, TILE_ROWS } from "./panels.ts";

export type { MatmulGeometry } from "./naive.ts";

// 256 x 128 doubles of B are 256 KB: half of a usual second-level cache. A panel of A (256 x 4) stays in the first.
const BLOCK_K = 256;
const BLOCK_N = 128;

function storeLoop(
  C: Float64Array,
  width: number,
  out: FloatArray,
  to: number,
  row: number,
  rows: number,
  n: number,
): void {
  for (let i = 0; i < rows; i++) {
    const p = (i * width) | 0;
    const q = (to + i * row) | 0;
    for (let j = 0; j < n; j++) out[q + j] = C[p + j]!;
  }
}
const store = perArrayTypes(() => copyFunction(storeLoop));

/** out = a @ b per batch, all contiguous; sums in double. `a` is read as [K, M] if transposeA, `b` as [N, K] if transposeB. */
export function matmul(a: FloatArray, b: FloatArray, out: FloatArray, g: MatmulGeometry): void {
  const { batch, M, K, N, transposeA = false, transposeB = false } = g;
  const padM = padTo(M, TILE_ROWS);
  const rowPanels = padM / TILE_ROWS;
  const packedA = scratch("a", padM * BLOCK_K);
  const packedB = scratch("b", BLOCK_K * BLOCK_N);
  const C = scratch("c", padM * BLOCK_N);
  const save = store(out);
  for (let t = 0; t < batch; t++)
    for (let n = 0; n < N; n += BLOCK_N) {
      const columns = Math.min(BLOCK_N, N - n);
      const width = padTo(columns, TILE_COLUMNS);
      C.fill(0, 0, padM * width);
      for (let k = 0; k < K; k += BLOCK_K) {
        const depth = Math.min(BLOCK_K, K - k);
        packPanels(
          a,
          t * M * K + (transposeA ? k * M : k),
          { rows: M, K: depth, row: transposeA ? 1 : K, step: transposeA ? M : 1, tile: TILE_ROWS },
          packedA,
          0,
        );
        packPanels(
          b,
          t * K * N + (transposeB ? n * K + k : k * N + n),
          { rows: columns, K: depth, row: transposeB ? K : 1, step: transposeB ? 1 : N, tile: TILE_COLUMNS },
          packedB,
          0,
        );
        multiplyPanels(packedA, 0, packedB, 0, C, 0, width, rowPanels, width / TILE_COLUMNS, depth);
      }
      save(C, width, out, t * M * N + n, N, M, columns);
    }
}
