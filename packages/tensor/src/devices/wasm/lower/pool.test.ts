// Pooling and sampling of the wasm device against the reference kernels, over all kinds of places.
import { describe, expect, it } from "vitest";
import { type Concrete, contiguous } from "../../../tensor.ts";
import { difference, LAYOUTS, numbers, reference, runLowered } from "../testing/builder.ts";
import { poolLowerings } from "./pool.ts";
import { sampleLowerings } from "./sample.ts";

const POOLS = [
  { size: [5, 5], stride: [1, 1], padding: [2, 2] },
  { size: [2, 2], stride: [2, 2], padding: [0, 0] },
  { size: [3, 2], stride: [2, 1], padding: [1, 0] },
  { size: [1, 3], stride: [3, 4], padding: [0, 1] },
] as const;
const SHAPES = [
  [2, 3, 7, 8],
  [1, 38, 5, 6],
  [2, 8, 5, 5],
  [1, 1, 9, 4],
  [0, 4, 5, 5],
] as const;

const ties = (x: number) => Math.round(3 * x);
const withNaN = (x: number, i: number) => (i % 11 === 3 ? Number.NaN : x);

describe.each(POOLS)("a pool of %j", (pool) => {
  it.each(SHAPES)("finds maxima and the first of their places in [%d, %d, %d, %d]", (...shape) => {
    for (const values of [undefined, ties, withNaN])
      for (const inputs of LAYOUTS)
        for (const outputs of LAYOUTS) {
          const x = numbers(shape, values);
          const got = runLowered(poolLowerings.maxPool, "maxPool", [x], pool, { inputs, outputs });
          const [y, index] = reference("maxPool", [x], pool) as [Concrete, Concrete];
          expect(difference(got, [contiguous(y), Float32Array.from(contiguous(index))])).toBe("");
        }
  });
  it.each(SHAPES)("adds at these places, and reads there, in [%d, %d, %d, %d]", (...shape) => {
    const [y, index] = reference("maxPool", [numbers(shape, ties)], pool) as [Concrete, Concrete];
    const ct = numbers(y.shape);
    const params = { ...pool, shape };
    const large = numbers(shape);
    for (const inputs of LAYOUTS)
      for (const outputs of LAYOUTS) {
        const unpooled = runLowered(poolLowerings.maxUnpool, "maxUnpool", [ct, index], params, { inputs, outputs });
        expect(
          difference(
            unpooled,
            reference("maxUnpool", [ct, index], params).map((t) => contiguous(t)),
          ),
        ).toBe("");
        const read = runLowered(poolLowerings.maxGather, "maxGather", [large, index], pool, { inputs, outputs });
        expect(
          difference(
            read,
            reference("maxGather", [large, index], pool).map((t) => contiguous(t)),
          ),
        ).toBe("");
      }
  });
});

describe("upsample and sumPool", () => {
  it.each([1, 2, 3])("repeat pixels and sum blocks of %d", (by) => {
    for (const [C, N] of [
      [3, 2],
      [20, 1],
      [0, 1],
    ] as const)
      for (const inputs of LAYOUTS)
        for (const outputs of LAYOUTS) {
          const small = numbers([N, C, 3, 2]);
          const large = numbers([N, C, 3 * by, 2 * by], (x) => Math.round(16 * x)); // sums are exact
          const up = runLowered(sampleLowerings.upsample, "upsample", [small], { by }, { inputs, outputs });
          expect(
            difference(
              up,
              reference("upsample", [small], { by }).map((t) => contiguous(t)),
            ),
          ).toBe("");
          const down = runLowered(sampleLowerings.sumPool, "sumPool", [large], { by }, { inputs, outputs });
          expect(
            difference(
              down,
              reference("sumPool", [large], { by }).map((t) => contiguous(t)),
            ),
          ).toBe("");
        }
  });
});
