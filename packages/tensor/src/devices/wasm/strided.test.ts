// Winograd's convolutions of stride 2 against the reference loops: near on random data, the same for any number of threads,
// and within their maps.
import { describe, expect, it } from "vitest";
import type { ConvGeometry } from "../../primitives/conv/geometry.ts";
import { Generator } from "../../random.ts";
import { sigmoidError } from "./kernels/exp.ts";
import { filters } from "./kernels/winograd-matrices.ts";
import { Runtime } from "./runtime.ts";
import {
  geometry as geometryOf,
  ISLAND_PIXEL,
  island,
  type Kind,
  kinds,
  problem,
  run,
} from "./testing/winograd-problem.ts";
import { winogradConv, winogradPack, winogradScratch, winogradWeightBytes } from "./winograd/conv.ts";
import { winogradConvWeight, winogradConvWeightScratch } from "./winograd/conv-weight.ts";
import { winogradFilter, winogradFits } from "./winograd/pays.ts";

const runtime = new Runtime({ bytes: 2 ** 25 });
const generator = new Generator(8);
const normal = (n: number) => new Float32Array(n).map(() => generator.normal());

type Case = Parameters<typeof geometryOf>[0];
const geometry = (c: Case) => geometryOf(c, 2);
/** Root of the mean of squares, and the same of the difference, relative to it, and the largest difference, too. */
function errors(expected: Float64Array, got: Float32Array) {
  const rms = Math.sqrt(expected.reduce((sum, v) => sum + v * v, 0) / expected.length);
  const differences = expected.map((v, i) => Math.abs(v - got[i]!) / rms);
  const mean = Math.sqrt(differences.reduce((sum, v) => sum + v * v, 0) / expected.length);
  return { mean, worst: differences.reduce((most, v) => Math.max(most, v), 0) };
}

const cases: Case[] = [
  { x: [1, 8, 10, 10], O: 8 },
  { x: [2, 16, 10, 20], O: 8 },
  { x: [3, 8, 30, 10], O: 24 },
  { x: [1, 72, 10, 10], O: 136 },
  { x: [6, 24, 20, 30], O: 16 },
  { x: [2, 12, 11, 17], O: 24 },
  { x: [1, 8, 14, 25], O: 8 },
  { x: [1, 8, 8, 8], O: 8 },
  { x: [3, 24, 16, 32], O: 24 },
  { x: [1, 72, 16, 8], O: 136 },
];
const all = (["F42", "F52"] as const).flatMap((filter) =>
  (Object.keys(kinds) as Kind[]).map((kind) => [filter, kind] as const),
);
describe.each(all)("%s, %s", (filter, kind) => {
  it.each(cases.filter((c) => winogradFits(filter, geometry(c), kind)))(
    "does not depend on threads, is near the reference, $x to $O",
    (c) => {
      const g = geometry(c);
      const p = problem(kind, g, normal);
      const got = run(runtime, kind, g, p, { filter });
      for (const threads of [2, 3, 5])
        expect(run(runtime, kind, g, p, { filter, threads, pixelStride: 140 })).toEqual(got);
      const expected = new Float64Array(p.size);
      kinds[kind].reference(p.a, p.b, expected, g);
      const { mean, worst } = errors(expected, got);
      // Rounding errors add up like a random walk over the summed products, each with that of the transforms: four times that of the
      // direct kernels.
      const terms = { forward: 9 * g.C, input: 9 * g.O, weight: g.N * g.Ho * g.Wo }[kind];
      expect(worst).toBeLessThan(32 * 2 ** -24 * Math.sqrt(terms));
      expect(mean).toBeLessThan(2.5 * 2 ** -24 * Math.sqrt(terms));
    },
  );
});

describe("kernels of stride 2", () => {
  it.each([
    ["F42", false],
    ["F42", true],
    ["F52", false],
    ["F52", true],
  ] as const)(
    "of %s read nothing beyond the window and write nothing beyond the results, turned %s",
    (filter, turned) => {
      runtime.reset();
      const { kernels, floats } = runtime;
      const { m } = filters[filter];
      const [Ho, Wo] = [m, 2 * m];
      const sizes = { filter, N: 1, Ho, Wo, C: 8, O: 8 };
      const map = (H: number, W: number, value: number) => island(runtime, H, W, value);
      const count = () => floats.reduce((n, v) => n + (Number.isNaN(v) ? 1 : 0), 0);
      // What is read has its border: above and to the left of x, below and to the right of y.
      const x = turned ? map(2 * Ho, 2 * Wo, Number.NaN) : map(2 * Ho + 1, 2 * Wo + 1, 1);
      const y = turned ? map(Ho + 1, Wo + 1, 1) : map(Ho, Wo, Number.NaN);
      const kernel = { at: runtime.place(new Float32Array(9 * 64).fill(1)), o: 36 * 8, c: 36, row: 12, tap: 4 };
      const u = runtime.allocate(winogradWeightBytes(sizes) / 4);
      const scratch = runtime.allocate(
        Math.max(winogradScratch({ ...sizes, turned }), winogradConvWeightScratch(sizes)) / 4,
      );
      const part = { thread: 0, threads: 1, scratch };
      const before = count();
      winogradPack(kernels, { ...sizes, w: kernel, u, turned }, part);
      const [from, to] = turned ? [y, x] : [x, y];
      winogradConv(kernels, { ...sizes, x: from, y: to, u, bias: 0, silu: false, turned }, part);
      const [result, H, W] = turned ? [x, 2 * Ho, 2 * Wo] : ([y, Ho, Wo] as const);
      expect(before - count()).toBe(8 * H * W);
      for (let i = 0; i < H; i++)
        for (let j = 0; j < W; j++) {
          const windows = turned ? (1 + (i & 1)) * (1 + (j & 1)) : 9;
          expect(floats[(result.at + i * result.row) / 4 + j * ISLAND_PIXEL]).toBeCloseTo(8 * windows, 3);
        }
      if (turned) return;
      winogradConvWeight(kernels, { ...sizes, x, ct: y, dw: kernel }, part);
      for (const v of floats.subarray(kernel.at / 4, kernel.at / 4 + 9 * 64))
        expect(v / (72 * Ho * Wo)).toBeCloseTo(1, 5);
    },
  );
  it.each(["F42", "F52"] as const)("of %s add a bias and apply silu", (filter) => {
    const g = geometry({ x: [1, 8, 10, 20], O: 16 });
    const p = problem("forward", g, normal);
    const bias = normal(16);
    const expected = new Float64Array(p.size).map((_, k) => bias[Math.floor(k / 50)]!);
    kinds.forward.reference(p.a, p.b, expected, g);
    expect(errors(expected, run(runtime, "forward", g, p, { filter, bias })).worst).toBeLessThan(2e-5);
    const plain = run(runtime, "forward", g, p, { filter, bias });
    const silu = run(runtime, "forward", g, p, { filter, bias, silu: true });
    for (const [k, x] of plain.entries()) {
      const exact = x / (1 + Math.exp(-x));
      expect(Math.abs(silu[k]! - exact)).toBeLessThanOrEqual(sigmoidError(x) * Math.abs(exact));
    }
  });
});

describe("winogradFits and winogradFilter", () => {
  const at = (C: number, O: number, side: number, N = 8) => geometry({ x: [N, C, side, side], O });
  it("take only dense 3 x 3 convolutions of stride 2 in whole panels and whole tiles", () => {
    const g = at(32, 32, 40);
    expect(winogradFits("F52", g, "forward")).toBe(true);
    const others = [{ kh: 1 }, { groups: 2 }, { stride: [1, 2] }, { padding: [0, 1] }, { N: 0 }, { Wo: 4 }];
    for (const other of others) expect(winogradFits("F52", { ...g, ...other } as ConvGeometry, "forward")).toBe(false);
    expect(winogradFits("F52", at(12, 8, 40), "forward")).toBe(true);
    expect(winogradFits("F52", at(12, 8, 40), "input")).toBe(false); // 12 results
    expect(winogradFits("F52", at(3, 16, 40), "forward")).toBe(false);
    expect(winogradFits("F52", at(32, 32, 38), "forward")).toBe(true);
    expect(winogradFits("F52", at(32, 32, 38), "input")).toBe(false); // cut tiles
  });
  it.each([
    ["forward", at(16, 32, 160), false, "F52"],
    ["forward", at(64, 64, 80), false, "F52"],
    ["forward", at(128, 256, 20), false, undefined],
    ["forward", at(128, 256, 20), true, "F52"],
    ["input", at(128, 128, 40), false, "F52"],
    ["input", at(128, 128, 20), false, undefined],
    ["weight", at(128, 256, 20), false, "F52"],
    ["weight", at(128, 256, 20, 1), false, undefined],
    ["forward", at(8, 8, 160), true, undefined],
    ["forward", at(64, 64, 32, 16), false, "F42"],
    ["input", at(64, 64, 32, 16), false, "F42"],
    ["weight", at(128, 128, 16, 16), false, "F42"],
  ] as const)("say where the kernels are faster: %s (case %#)", (pass, g, still, filter) => {
    expect(winogradFilter(g, pass, still)).toBe(filter);
  });
});
