// Loops along an axis against small worked examples and adjointness.
import { describe, expect, it } from "vitest";
import { argsort, axisGeometry, cumsum, gather, scatterAdd } from "./kernels.ts";

const values = (n: number, seed: number) => new Float64Array(n).map((_, i) => Math.sin((i + 1) * seed));
const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

describe("gather and scatterAdd", () => {
  it("read and add rows along the axis", () => {
    const g = { ...axisGeometry([2, 3], 1), count: 2 };
    const out = new Float32Array(4);
    const index = new Int32Array([2, 2, 0, 1]);
    gather(new Float32Array([1, 2, 3, 4, 5, 6]), index, out, g);
    expect([...out]).toEqual([3, 3, 4, 5]);
    const back = new Float32Array(6);
    scatterAdd(out, index, back, g);
    expect([...back]).toEqual([0, 0, 6, 4, 5, 0]);
  });
  it.each([0, 1, 2])("are adjoint along axis %i", (axis) => {
    const shape = [3, 4, 5];
    const g = { ...axisGeometry(shape, axis), count: 7 };
    const x = values(60, 1.3);
    const ct = values(g.outer * g.count * g.inner, 0.4);
    const index = new Int32Array(ct.length).map((_, i) => (i * 7) % g.size);
    const y = new Float64Array(ct.length);
    const back = new Float64Array(60);
    gather(x, index, y, g);
    scatterAdd(ct, index, back, g);
    expect(dot(back, x)).toBeCloseTo(dot(ct, y), 12);
  });
  it.each([-1, 3])("throw on index %i of 3 rows", (at) => {
    const g = { ...axisGeometry([3], 0), count: 1 };
    const one = new Float32Array(1);
    expect(() => gather(new Float32Array(3), new Int32Array([at]), one, g)).toThrow(RangeError);
    expect(() => scatterAdd(one, new Int32Array([at]), new Float32Array(3), g)).toThrow(/0\.\.2/);
  });
});

describe("cumsum", () => {
  it("sums along the axis from either end", () => {
    const x = new Float32Array([1, 2, 3, 4, 5, 6]);
    const out = new Float32Array(6);
    cumsum(x, out, { ...axisGeometry([2, 3], 1), reverse: false });
    expect([...out]).toEqual([1, 3, 6, 4, 9, 15]);
    cumsum(x, out, { ...axisGeometry([2, 3], 1), reverse: true });
    expect([...out]).toEqual([6, 5, 3, 15, 11, 6]);
    cumsum(x, out, { ...axisGeometry([2, 3], 0), reverse: false });
    expect([...out]).toEqual([1, 2, 3, 5, 7, 9]);
  });
});

describe("argsort", () => {
  it("is stable both ways and puts NaN last ascending, first descending", () => {
    const x = new Float32Array([2, 1, 2, Number.NaN, 1, 0]);
    const out = new Int32Array(6);
    argsort(x, out, { ...axisGeometry([6], 0), descending: false });
    expect([...out]).toEqual([5, 1, 4, 0, 2, 3]);
    argsort(x, out, { ...axisGeometry([6], 0), descending: true });
    expect([...out]).toEqual([3, 0, 2, 1, 4, 5]);
  });
  it("sorts every column of an inner axis", () => {
    const out = new Int32Array(6);
    argsort(new Int32Array([3, 1, 2, 2, 1, 3]), out, { ...axisGeometry([3, 2], 0), descending: false });
    expect([...out]).toEqual([2, 0, 1, 1, 0, 2]);
  });
});
