// Reductions against their definitions, over any axes of permuted views, and the variance far from zero.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Strided } from "../strided.ts";
import { amax, amin, sum, varMean } from "./loops.ts";

/** The elements of every cell that remains when `axes` are reduced, cells in row-major order. */
function cells({ data, shape, stride, offset }: Strided, axes: readonly number[]): number[][] {
  const groups = new Map<string, number[]>();
  const visit = (d: number, at: number, key: string): void => {
    if (d === shape.length) {
      groups.set(key, [...(groups.get(key) ?? []), data[at]!]);
      return;
    }
    for (let i = 0; i < shape[d]!; i++) visit(d + 1, at + i * stride[d]!, axes.includes(d) ? key : `${key},${i}`);
  };
  visit(0, offset, "");
  return [...groups.values()];
}

const cases = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 4 }).chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    order: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length, maxLength: shape.length }),
    axes: fc.subarray([...shape.keys()]),
    repeated: fc.subarray([...shape.keys()], { maxLength: Math.min(1, shape.length) }),
    array: fc.constantFrom(Float32Array, Float64Array),
  }),
);

describe("reductions", () => {
  it("agree with their definitions over any axes of a strided view", () => {
    fc.assert(
      fc.property(cases, ({ shape, order, axes, repeated, array }) => {
        const stride = shape.map(() => 0);
        let size = 1;
        for (const d of order) {
          if (repeated.includes(d)) continue;
          stride[d] = size;
          size *= shape[d]!;
        }
        const data = new array(size).map((_: number, i: number) => Math.sin(i * 1.9));
        const x: Strided = { data, shape, stride, offset: 0 };
        const expected = cells(x, axes);
        const out = () => new Float64Array(expected.length);
        const [total, top, bottom, variance, mean] = [out(), out(), out(), out(), out()];
        sum(x, axes, total);
        amax(x, axes, top);
        amin(x, axes, bottom);
        varMean(x, axes, variance, mean);
        expected.forEach((cell, i) => {
          const middle = cell.reduce((a, b) => a + b, 0) / cell.length;
          expect(total[i]).toBeCloseTo(middle * cell.length, 10);
          expect(top[i]).toBe(Math.max(...cell));
          expect(bottom[i]).toBe(Math.min(...cell));
          expect(mean[i]).toBeCloseTo(middle, 12);
          expect(variance[i]).toBeCloseTo(cell.reduce((a, b) => a + (b - middle) ** 2, 0) / cell.length, 12);
        });
      }),
    );
  });
  it("give channel statistics of a mean of 1000 to float32's own precision", () => {
    const [N, C, HW] = [8, 3, 400];
    const data = new Float32Array(N * C * HW).map((_, i) => 1000 + Math.sin(i * 0.37));
    const x = { data, shape: [N, C, 20, 20], stride: [C * HW, HW, 20, 1], offset: 0 };
    const variance = new Float32Array(C);
    const mean = new Float32Array(C);
    varMean(x, [0, 2, 3], variance, mean);
    cells(x, [0, 2, 3]).forEach((cell, c) => {
      const middle = cell.reduce((a, b) => a + b, 0) / cell.length;
      const spread = cell.reduce((a, b) => a + (b - middle) ** 2, 0) / cell.length;
      expect(Math.abs(variance[c]! / spread - 1)).toBeLessThan(2 ** -23);
      expect(Math.abs(mean[c]! / middle - 1)).toBeLessThan(2 ** -23);
    });
  });
  it("reduce leading axes of wide rows", () => {
    const data = new Float64Array(50 * 300).map((_, i) => Math.cos(i));
    const x = { data, shape: [50, 300], stride: [300, 1], offset: 0 };
    const out = new Float64Array(300);
    sum(x, [0], out);
    cells(x, [0]).forEach((cell, i) => {
      expect(out[i]).toBeCloseTo(
        cell.reduce((a, b) => a + b, 0),
        11,
      );
    });
  });
  it("let NaN win maxima and minima and sum nothing to zero", () => {
    const x = { data: new Float32Array([1, Number.NaN, 3]), shape: [3], stride: [1], offset: 0 };
    const out = new Float32Array(1);
    amax(x, [0], out);
    expect(out[0]).toBeNaN();
    amin(x, [0], out);
    expect(out[0]).toBeNaN();
    sum({ data: new Float32Array(0), shape: [0], stride: [1], offset: 0 }, [0], out);
    expect(out[0]).toBe(0);
  });
});
