// Products of matrices behind permutations: which lie turned, and that they are the same numbers.
import { describe, expect, it } from "vitest";
import { compile, trace } from "../../../compile.ts";
import { add, createWasm, Generator, matmul, permute, randn, reshape, sum, type Tensor } from "../../../index.ts";
import { turnedProducts } from "./turned.ts";

const generator = new Generator("turned");
const [a, b] = [randn([9, 4, 12, 5], { generator }), randn([9, 4, 5, 6], { generator })];
const device = createWasm({ threads: 1 });

describe("a product that only a permutation reads", () => {
  const cases: readonly {
    readonly name: string;
    readonly fn: (x: Tensor, y: Tensor) => Tensor;
    readonly turned: number;
  }[] = [
    { name: "itself", fn: (x, y) => add(permute(matmul(x, y), [2, 1, 3, 0]), 1), turned: 1 },
    {
      name: "with its first axis cut",
      fn: (x, y) => add(permute(reshape(matmul(x, y), [3, 3, 4, 12, 6]), [3, 2, 4, 0, 1]), 1),
      turned: 1,
    },
    {
      name: "with axes merged that then lie apart",
      fn: (x, y) => add(permute(reshape(matmul(x, y), [36, 12, 6]), [1, 0, 2]), 1),
      turned: 1,
    },
    {
      name: "cut across rows",
      fn: (x, y) => add(permute(reshape(matmul(x, y), [9, 4, 8, 9]), [3, 0, 1, 2]), 1),
      turned: 1,
    },
    {
      name: "but for a sum",
      fn: (x, y) => {
        const product = matmul(x, y);
        return add(permute(product, [3, 0, 1, 2]), sum(product, [0, 1, 2, 3]));
      },
      turned: 0,
    },
  ];
  it.each(cases)("$name: lies in its order where strides can say it, and is the same", async ({ fn, turned }) => {
    const { program } = trace((x, y) => fn(x!, y!), [a, b]);
    expect(turnedProducts(program).size).toBe(turned);
    using run = compile((x, y) => fn(x, y), { device });
    const [got, want] = [await run(a, b), fn(a, b)];
    expect(got.shape).toEqual(want.shape);
    const [values, expected] = [got.toTypedArray(), want.toTypedArray()];
    // Sums of five products, and of all of them.
    const rounding = turned ? 5 * 2 ** -24 * 16 : 1e-3;
    expect(Math.max(...values.map((v, i) => Math.abs(v - expected[i]!)))).toBeLessThanOrEqual(rounding);
  });
});
