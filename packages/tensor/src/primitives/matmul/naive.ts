// Batched matrix product as three loops: the oracle of the fast kernel.
import type { FloatArray } from "../strided.ts";

/** out[b] is [M, N]; a[b] is [M, K] ([K, M] if transposeA), b[b] is [K, N] ([N, K] if transposeB). */
export interface MatmulGeometry {
  readonly batch: number;
  readonly M: number;
  readonly K: number;
  readonly N: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** out = a @ b, all contiguous. */
export function matmul(a: FloatArray, b: FloatArray, out: FloatArray, g: MatmulGeometry): void {
  const { batch, M, K, N, transposeA = false, transposeB = false } = g;
  for (let t = 0; t < batch; t++)
    for (let i = 0; i < M; i++)
      for (let j = 0; j < N; j++) {
        let sum = 0;
        for (let k = 0; k < K; k++)
          sum +=
            a[t * M * K + (transposeA ? k * M + i : i * K + k)]! * b[t * K * N + (transposeB ? j * K + k : k * N + j)]!;
        out[(t * M + i) * N + j] = sum;
      }
}
