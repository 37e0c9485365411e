// The blocked product against three loops: odd sizes, blocks crossed, both dtypes, operands read transposed.
import { describe, expect, it } from "vitest";
import type { FloatArray } from "../strided.ts";
import { matmul } from "./kernels.ts";
import { matmul as naive } from "./naive.ts";

const SIZES = [
  { batch: 1, M: 1, K: 1, N: 1 },
  { batch: 3, M: 5, K: 7, N: 3 },
  { batch: 2, M: 4, K: 8, N: 2 },
  { batch: 1, M: 9, K: 300, N: 131 },
  { batch: 1, M: 130, K: 513, N: 6 },
  { batch: 4, M: 3, K: 1, N: 257 },
  { batch: 2, M: 6, K: 0, N: 5 },
  { batch: 2, M: 0, K: 3, N: 5 },
];
const LAYOUTS = [false, true].flatMap((transposeA) => [false, true].map((transposeB) => ({ transposeA, transposeB })));

describe.each([
  { name: "float32", make: (n: number): FloatArray => new Float32Array(n), epsilon: 2 ** -23 },
  { name: "float64", make: (n: number): FloatArray => new Float64Array(n), epsilon: 2 ** -52 },
])("matmul in $name", ({ make, epsilon }) => {
  it.each(SIZES.flatMap((sizes) => LAYOUTS.map((layout) => ({ ...sizes, ...layout }))))(
    "agrees with three loops for $batch x [$M, $K] @ [$K, $N], transposed: $transposeA $transposeB",
    (g) => {
      const a = make(g.batch * g.M * g.K).map((_, i) => Math.sin(i * 1.7));
      const b = make(g.batch * g.K * g.N).map((_, i) => Math.cos(i * 0.9));
      const expected = make(g.batch * g.M * g.N);
      const got = make(expected.length).fill(7);
      naive(a, b, expected, g);
      matmul(a, b, got, g);
      for (let i = 0; i < got.length; i++)
        if (!(Math.abs(expected[i]! - got[i]!) <= epsilon * (g.K + 1)))
          expect.fail(`element ${i} is ${got[i]}, expected ${expected[i]}`);
    },
  );
});
