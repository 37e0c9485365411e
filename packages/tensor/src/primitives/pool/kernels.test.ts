// Pools against their definitions: windows clipped to the input, first maximum, and adjointness of each pair.
import { describe, expect, it } from "vitest";
import { isProblem } from "../problem.ts";
import { maxGather, maxPool, maxUnpool, type PoolParams, poolGeometry, sumPool, upsample } from "./kernels.ts";

const CASES: (PoolParams & { x: number[] })[] = [
  { x: [2, 3, 6, 7], size: [2, 2], stride: [2, 2], padding: [0, 0] },
  { x: [1, 2, 5, 5], size: [5, 5], stride: [1, 1], padding: [2, 2] },
  { x: [2, 1, 9, 4], size: [3, 2], stride: [2, 1], padding: [1, 1] },
  { x: [1, 1, 1, 1], size: [1, 1], stride: [1, 1], padding: [0, 0] },
];

function geometry({ x, ...params }: (typeof CASES)[number]) {
  const g = poolGeometry(x, params);
  if (isProblem(g)) throw new Error(`expected ${g.expected}, got ${g.got}`);
  return g;
}
const values = (n: number, seed: number) => new Float64Array(n).map((_, i) => Math.sin((i + 1) * seed));
const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

describe("maxPool", () => {
  it.each(CASES)("takes the maximum of each clipped window of $x, size $size, and its position", (c) => {
    const g = geometry(c);
    const n = g.planes * g.H * g.W;
    const x = values(n, 1.3).map((v) => v - 2);
    const y = new Float64Array(g.planes * g.Ho * g.Wo);
    const index = new Int32Array(y.length);
    maxPool(x, y, index, g);
    for (let p = 0, o = 0; p < g.planes; p++)
      for (let i = 0; i < g.Ho; i++)
        for (let j = 0; j < g.Wo; j++, o++) {
          let best = Number.NEGATIVE_INFINITY;
          for (let u = 0; u < g.size[0]; u++)
            for (let v = 0; v < g.size[1]; v++) {
              const row = i * g.stride[0] - g.padding[0] + u;
              const column = j * g.stride[1] - g.padding[1] + v;
              if (row >= 0 && column >= 0 && row < g.H && column < g.W)
                best = Math.max(best, x[(p * g.H + row) * g.W + column]!);
            }
          expect(y[o]).toBe(best);
          expect(x[p * g.H * g.W + index[o]!]).toBe(best);
        }
  });
  it("keeps the first of equal maxima and lets NaN win", () => {
    const g = geometry({ x: [1, 1, 2, 4], size: [2, 2], stride: [2, 2], padding: [0, 0] });
    const y = new Float32Array(2);
    const index = new Int32Array(2);
    maxPool(new Float32Array([3, 3, 1, 9, 3, 3, Number.NaN, 2]), y, index, g);
    expect([...y]).toEqual([3, Number.NaN]);
    expect([...index]).toEqual([0, 6]);
  });
  it.each(CASES)("has maxUnpool and maxGather as an adjoint pair on $x, size $size", (c) => {
    const g = geometry(c);
    const x = values(g.planes * g.H * g.W, 1.7);
    const ct = values(g.planes * g.Ho * g.Wo, 0.6);
    const y = new Float64Array(ct.length);
    const index = new Int32Array(ct.length);
    maxPool(x, y, index, g);
    const back = new Float64Array(x.length);
    maxUnpool(ct, index, back, g);
    const again = new Float64Array(ct.length);
    maxGather(x, index, again, g);
    expect(again).toEqual(y);
    expect(dot(back, x)).toBeCloseTo(dot(ct, again), 12);
  });
  it.each([
    { x: [2, 2], size: [2, 2], stride: [2, 2], padding: [0, 0], expected: /4 dims/ },
    { x: [1, 1, 4, 4], size: [2, 2], stride: [1, 1], padding: [2, 2], expected: /half the window/ },
    { x: [1, 1, 4, 4], size: [5, 5], stride: [1, 1], padding: [0, 0], expected: /window that fits/ },
    { x: [1, 1, 4, 4], size: [2, 2], stride: [0, 1], padding: [0, 0], expected: /stride/ },
  ] as (PoolParams & { x: number[]; expected: RegExp })[])(
    "answers what was expected: $expected",
    ({ x, expected, ...params }) => {
      const problem = poolGeometry(x, params);
      expect(isProblem(problem) && problem.expected).toMatch(expected);
    },
  );
});

describe("upsample and sumPool", () => {
  it("repeat each element in a block and sum the block", () => {
    const g = { planes: 1, H: 1, W: 2, by: 2 };
    const y = new Float32Array(8);
    upsample(new Float32Array([1, 2]), y, g);
    expect([...y]).toEqual([1, 1, 2, 2, 1, 1, 2, 2]);
    const x = new Float32Array(2);
    sumPool(y, x, g);
    expect([...x]).toEqual([4, 8]);
  });
  it.each([1, 2, 3])("are adjoint by %i", (by) => {
    const g = { planes: 3, H: 4, W: 5, by };
    const x = values(60, 1.1);
    const ct = values(60 * by * by, 0.7);
    const y = new Float64Array(ct.length);
    const back = new Float64Array(x.length);
    upsample(x, y, g);
    sumPool(ct, back, g);
    expect(dot(back, x)).toBeCloseTo(dot(ct, y), 10);
  });
});
