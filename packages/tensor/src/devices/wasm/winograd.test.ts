// Winograd's convolutions against the reference loops: equal on dyadic data, close on random data, the same for any
// number of threads, and within their maps.
import { describe, expect, it } from "vitest";
import type { ConvGeometry } from "../../primitives/conv/geometry.ts";
import { Generator } from "../../random.ts";
import { sigmoidError } from "./kernels/exp.ts";
import type { FilterName } from "./kernels/winograd-matrices.ts";
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

const runtime = new Runtime({ bytes: 2 ** 24 });
const generator = new Generator(7);
/** Halves from -2 to 2: the transforms of F23 halve twice, and no sum of these tests needs more than 24 bits. */
const dyadic = (n: number) => new Float32Array(n).map(() => (generator.integer(9) - 4) / 2);
const normal = (n: number) => new Float32Array(n).map(() => generator.normal());

type Case = Parameters<typeof geometryOf>[0];
const geometry = (c: Case) => geometryOf(c, 1);

const cases: Case[] = [
  { x: [1, 8, 4, 4], O: 8, padding: [1, 1] },
  { x: [2, 16, 10, 12], O: 8, padding: [1, 1] },
  { x: [3, 8, 9, 7], O: 16, padding: [1, 1] },
  { x: [2, 24, 5, 6], O: 40, padding: [1, 1] },
  { x: [1, 8, 4, 5], O: 8, padding: [0, 0] },
  { x: [2, 8, 4, 3], O: 8, padding: [2, 2] },
  { x: [1, 8, 7, 2], O: 8, padding: [0, 3] },
  { x: [1, 8, 6, 7], O: 8, padding: [0, 0] },
  { x: [2, 8, 5, 4], O: 8, padding: [2, 2] },
  { x: [2, 72, 6, 5], O: 88, padding: [1, 1] },
  { x: [1, 8, 41, 43], O: 8, padding: [1, 1] },
];

/** Those that a filter's kernels can run. */
const casesOf = (filter: FilterName, kind: Kind) => cases.filter((c) => winogradFits(filter, geometry(c), kind));
const all = (["F23", "F43"] as const).flatMap((filter) =>
  (Object.keys(kinds) as Kind[]).map((kind) => [filter, kind] as const),
);
/** The largest error in units of the random walk below: 3.4 and 9.4 in these cases. */
const bounds = { F23: 5, F43: 12 };

describe.each(all)("%s, %s", (filter, kind) => {
  it.each(casesOf(filter, kind))("does not depend on threads, is near the reference on random data, $x to $O", (c) => {
    const g = geometry(c);
    const p = problem(kind, g, normal);
    const got = run(runtime, kind, g, p, { filter });
    for (const threads of [2, 3, 5])
      expect(run(runtime, kind, g, p, { filter, threads, pixelStride: 92 })).toEqual(got);
    const expected = new Float64Array(p.size);
    kinds[kind].reference(p.a, p.b, expected, g);
    const rms = Math.sqrt(expected.reduce((sum, v) => sum + v * v, 0) / p.size);
    const worst = expected.reduce((most, v, i) => Math.max(most, Math.abs(v - got[i]!)), 0);
    // Rounding errors add up like a random walk over the summed products; so many roundings' worth of it is never reached.
    const terms = { forward: 9 * g.C, input: 9 * g.O, weight: g.N * g.Ho * g.Wo }[kind];
    expect(worst / rms).toBeLessThan(bounds[filter] * 2 ** -24 * Math.sqrt(terms));
  });
});
describe.each(Object.keys(kinds) as Kind[])("F23, %s", (kind) => {
  it.each(casesOf("F23", kind))("equals the reference on dyadic data, $x to $O, padding $padding", (c) => {
    const g = geometry(c);
    const p = problem(kind, g, dyadic);
    const expected = new Float32Array(p.size);
    kinds[kind].reference(p.a, p.b, expected, g);
    expect(run(runtime, kind, g, p, {})).toEqual(expected);
    expect(run(runtime, kind, g, p, { pixelStride: 100 })).toEqual(expected);
  });
});

describe("Winograd's kernels", () => {
  it.each([
    ["F23", 6, 6],
    ["F23", 5, 7],
    ["F43", 8, 8],
    ["F43", 5, 7],
  ] as const)(
    "of %s read nothing beyond the window and write nothing beyond the results, %i x %i",
    (filter, Ho, Wo) => {
      runtime.reset();
      const { kernels, floats } = runtime;
      const sizes = { filter, N: 1, Ho, Wo, C: 8, O: 8 };
      const map = (H: number, W: number, value: number) => island(runtime, H, W, value);
      const count = () => floats.reduce((n, v) => n + (Number.isNaN(v) ? 1 : 0), 0);
      const [x, y] = [map(Ho + 2, Wo + 2, 1), map(Ho, Wo, Number.NaN)];
      const kernel = { at: runtime.place(new Float32Array(9 * 64).fill(1)), o: 36 * 8, c: 36, row: 12, tap: 4 };
      const u = runtime.allocate(winogradWeightBytes(sizes) / 4);
      const scratch = runtime.allocate(Math.max(winogradScratch(sizes), winogradConvWeightScratch(sizes)) / 4);
      const part = { thread: 0, threads: 1, scratch };
      const before = count();
      winogradPack(kernels, { filter, w: kernel, u, C: 8, O: 8, turned: false }, part);
      winogradConv(kernels, { ...sizes, x, y, u, bias: 0, silu: false }, part);
      expect(before - count()).toBe(8 * Ho * Wo);
      for (let i = 0; i < Ho; i++)
        for (let j = 0; j < Wo; j++) expect(floats[(y.at + i * y.row) / 4 + j * ISLAND_PIXEL]).toBeCloseTo(72, 3);
      winogradConvWeight(kernels, { ...sizes, x, ct: y, dw: kernel }, part);
      for (const tap of floats.subarray(kernel.at / 4, kernel.at / 4 + 9 * 64))
        expect(tap).toBeCloseTo(72 * Ho * Wo, 1);
    },
  );
  it.each(["F23", "F43"] as const)("of %s add a bias and apply silu", (filter) => {
    const g = geometry({ x: [1, 8, 5, 6], O: 16, padding: [1, 1] });
    const p = problem("forward", g, dyadic);
    const bias = dyadic(16);
    const plain = run(runtime, "forward", g, p, { filter });
    const expected = plain.map((v, k) => v + bias[Math.floor(k / 30)]!);
    expect(run(runtime, "forward", g, p, { filter, bias })).toEqual(expected);
    const silu = run(runtime, "forward", g, p, { filter, bias, silu: true });
    for (const [k, x] of expected.entries()) {
      const exact = x / (1 + Math.exp(-x));
      expect(Math.abs(silu[k]! - exact)).toBeLessThanOrEqual(sigmoidError(x) * Math.abs(exact));
    }
  });
});

describe("winogradFits and winogradFilter", () => {
  const at = (C: number, O: number, side: number, N = 8) => geometry({ x: [N, C, side, side], O, padding: [1, 1] });
  it("take only dense 3 x 3 convolutions of stride and dilation 1 in whole panels", () => {
    const g = at(32, 32, 40);
    expect(winogradFits("F23", g, "forward")).toBe(true);
    const others = [{ kh: 1 }, { kw: 1 }, { groups: 2 }, { stride: [1, 2] }, { dilation: [2, 1] }, { N: 0 }, { Wo: 1 }];
    for (const other of others) expect(winogradFits("F23", { ...g, ...other } as ConvGeometry, "forward")).toBe(false);
    expect(winogradFits("F23", at(12, 8, 40), "forward")).toBe(true);
    expect(winogradFits("F23", at(12, 8, 40), "input")).toBe(false); // 12 results
    expect(winogradFits("F23", at(6, 8, 40), "weight")).toBe(false);
  });
  it.each([
    [at(16, 8, 80), "F43"],
    [at(8, 16, 80), "F43"],
    [at(32, 32, 40), "F43"],
    [at(64, 64, 20), "F43"],
    [at(128, 128, 10), "F23"], // a third of the 12 x 12 results of F43 would be none
    [at(128, 128, 20, 1), "F43"],
    [at(64, 64, 7), "F43"],
    [at(64, 64, 10, 1), "F23"],
    [at(64, 64, 5, 1), undefined],
    [at(16, 16, 5), undefined],
    [at(4, 8, 40), "F43"],
  ])("say where the kernels are faster (case %#)", (g, filter) => {
    expect(winogradFilter(g, "forward", false)).toBe(filter);
  });
});
