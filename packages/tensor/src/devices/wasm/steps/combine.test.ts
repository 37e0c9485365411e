// Combining partial sums: in float64, with strides, alike for any number of threads.
import { describe, expect, it } from "vitest";
import { type CombineStep, runCombine } from "./combine.ts";

const SIZE = 2 ** 16;
/** The memory after the step, run by each thread in turn. */
function run(step: CombineStep, memory: Float32Array, threads: number): Float32Array {
  const floats = memory.slice();
  for (let thread = 0; thread < threads; thread++) runCombine(step, { floats, thread, threads });
  return floats;
}
const column = (memory: Float32Array, { address, stride }: { address: number; stride: number }, n: number) =>
  Array.from({ length: n }, (_, i) => memory[(address + i * stride) / 4]!);

describe.each([
  [4, 5],
  [16, 300],
])("%d units of %d partial sums", (units, inner) => {
  const at = (i: number) => 4 * i * units * inner;
  const size = { sums: inner, terms: units, next: 1, step: inner };
  const memory = new Float32Array(SIZE).map((_, i) => Math.sin(i));
  it.each([1, 2, 3])("are added up by %d threads", (threads) => {
    const out = { address: at(2), stride: 12 };
    const step: CombineStep = { op: "combine", mode: "sum", ...size, partial: at(0), out };
    const expected = Array.from({ length: inner }, (_, i) =>
      Math.fround(Array.from({ length: units }, (_, u) => memory[u * inner + i]!).reduce((a, b) => a + b)),
    );
    const got = run(step, memory, threads);
    expect(column(got, out, inner)).toEqual(expected);
    expect(got[at(2) / 4 + 1]).toBe(memory[at(2) / 4 + 1]); // between the outputs
  });
  it.each([1, 2, 3])("are added up unit by unit by %d threads", (threads) => {
    const out = { address: at(2), stride: 4 };
    const rows = { sums: units, terms: inner, next: inner, step: 1 };
    const expected = Array.from({ length: units }, (_, u) =>
      Math.fround(memory.slice(u * inner, (u + 1) * inner).reduce((a, b) => a + b, 0)),
    );
    const got = run({ op: "combine", mode: "sum", ...rows, partial: at(0), out }, memory, threads);
    expect(column(got, out, units).map((x, u) => Math.abs(x - expected[u]!) < 1e-5)).toEqual(expected.map(() => true));
  });
  it.each([1, 2, 3])("are variances and means by %d threads", (threads) => {
    const count = units * 10;
    // Of each sum ten values a unit around a shift of 1000.
    const values = (u: number, i: number) => Array.from({ length: 10 }, (_, k) => 1000 + Math.sin(u * 37 + i * 11 + k));
    const filled = memory.slice();
    for (let u = 0; u < units; u++)
      for (let i = 0; i < inner; i++) {
        const shifted = values(u, i).map((x) => x - 1000);
        filled[u * inner + i] = shifted.reduce((a, b) => a + b);
        filled[at(1) / 4 + u * inner + i] = shifted.reduce((a, b) => a + b * b, 0);
      }
    const [variance, mean] = [0, 1].map((k) => ({ address: at(2) + 4 * k, stride: 8 })) as [Floats, Floats];
    const shift = { address: at(3), stride: 0 };
    filled[at(3) / 4] = 1000;
    const sums = { partial: at(0), squares: at(1) };
    const got = run(
      { ...{ op: "combine", mode: "varMean", ...size, shift, count, variance, mean }, ...sums },
      filled,
      threads,
    );
    for (let i = 0; i < inner; i++) {
      const all = Array.from({ length: units }, (_, u) => values(u, i)).flat();
      const average = all.reduce((a, b) => a + b) / count;
      const spread = all.reduce((a, b) => a + (b - average) ** 2, 0) / count;
      expect(column(got, mean, inner)[i]! / average - 1).toBeCloseTo(0, 7);
      expect(column(got, variance, inner)[i]! / spread - 1).toBeCloseTo(0, 5);
    }
  });
});
type Floats = { address: number; stride: number };

it("does not hide NaN in a variance", () => {
  const memory = new Float32Array(64);
  memory[1] = Number.NaN;
  const place = (i: number) => ({ address: 4 * i, stride: 4 });
  const step: CombineStep = {
    ...{ op: "combine", mode: "varMean", sums: 2, terms: 1, next: 1, step: 2, partial: 0, squares: 8, count: 4 },
    ...{ shift: place(4), variance: place(6), mean: place(8) },
  };
  expect([...run(step, memory, 1).subarray(6, 10)]).toEqual([0, Number.NaN, 0, Number.NaN]);
});
