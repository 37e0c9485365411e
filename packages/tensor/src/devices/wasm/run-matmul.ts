// Matrix product by the convolution tile: the rows of A are pixels, the summed index is their channels, and B is a kernel
// of one tap. Row-major A needs no packing but the padding of its rows to whole vectors.
import type { MatmulGeometry } from "../../primitives/matmul/naive.ts";
import type { Launch } from "./launch.ts";
import { featureMap, pixelIndex } from "./layout.ts";
import { product } from "./product.ts";
import type { Runtime } from "./runtime.ts";
import type { Axis } from "./windows.ts";

/** out[t] = a[t] @ b[t]: write(a, b), read(out); shapes as in primitives/matmul/naive.ts, none of them empty. */
export function runMatmul(runtime: Runtime, g: MatmulGeometry): Launch {
  const { batch, M, K, N, transposeA = false, transposeB = false } = g;
  const { floats } = runtime;
  const rows: Axis = { taps: [0], step: 1, places: Array.from({ length: M }, (_, i) => ({ from: i, to: i })) };
  const one: Axis = { taps: [0], step: 1, places: [{ from: 0, to: 0 }] };
  const products = Array.from({ length: batch }, () => {
    const a = featureMap(runtime, { N: 1, C: K, H: M, W: 1 });
    const out = featureMap(runtime, { N: 1, C: N, H: M, W: 1 });
    return { a, out, ...product(runtime, a, out, [rows, one]) };
  });
  return {
    path: "tile",
    write: (A, B) => {
      for (const [t, { a, pack }] of products.entries()) {
        const [atA, atB] = [t * M * K, t * K * N];
        for (let i = 0; i < M; i++)
          for (let k = 0; k < K; k++)
            floats[pixelIndex(a, 0, i, 0) + k] = A[atA + (transposeA ? k * M + i : i * K + k)]!;
        pack((j, k) => B[atB + (transposeB ? j * K + k : k * N + j)]!);
      }
    },
    run: () => {
      for (const { run } of products) run();
    },
    read: (result) => {
      for (const [t, { out }] of products.entries())
        for (let i = 0; i < M; i++) {
          const from = pixelIndex(out, 0, i, 0);
          result.set(floats.subarray(from, from + N), (t * M + i) * N);
        }
    },
  };
}
