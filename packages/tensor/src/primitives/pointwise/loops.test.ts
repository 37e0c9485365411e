// Strided loops against element-by-element evaluation, over random permuted, sliced, flipped and expanded views.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Strided, TypedArray } from "../strided.ts";
import { binaryLoop, stridedCopy, stridedCopyInto, unaryLoop, whereLoop } from "./loops.ts";

/** The elements of a view in row-major order. */
function elements({ data, shape, stride, offset }: Strided): number[] {
  const visit = (d: number, at: number): number[] =>
    d === shape.length
      ? [data[at]!]
      : Array.from({ length: shape[d]! }, (_, i) => visit(d + 1, at + i * stride[d]!)).flat();
  return visit(0, offset);
}

const ARRAYS = [Float32Array, Float64Array, Int32Array, Uint8Array] as const;

// A view of the given shape: each axis is plain, every second element, flipped or repeated; the axes lie in any order.
const viewOf = (shape: readonly number[]) =>
  fc
    .record({
      kinds: fc.array(fc.constantFrom("plain", "sparse", "flipped", "repeated"), {
        minLength: shape.length,
        maxLength: shape.length,
      }),
      order: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length, maxLength: shape.length }),
      array: fc.constantFrom(...ARRAYS),
      start: fc.nat(3),
    })
    .map(({ kinds, order, array, start }): Strided => {
      const stride = shape.map(() => 0);
      let offset = start;
      let size = 1;
      for (const d of order) {
        const n = shape[d]!;
        const step = kinds[d] === "sparse" ? 2 : 1;
        if (kinds[d] === "repeated") continue;
        stride[d] = kinds[d] === "flipped" ? -size : size * step;
        if (kinds[d] === "flipped") offset += size * Math.max(0, n - 1);
        size *= n * step;
      }
      const data = new array(size + start).map((_: number, i: number) => (i * 37 + 11) % 101);
      return { data: data as TypedArray, shape, stride, offset };
    });
const views = (count: number) =>
  fc
    .array(fc.integer({ min: 0, max: 6 }), { maxLength: 4 })
    .chain((shape) => fc.array(viewOf(shape), { minLength: count, maxLength: count }));
const sizeOf = (x: Strided) => x.shape.reduce((a, b) => a * b, 1);

describe("loops over strided views", () => {
  const twice = unaryLoop((x) => 2 * x + 1);
  const combine = binaryLoop((a, b) => a - 3 * b);
  it("apply a function of one element", () => {
    fc.assert(
      fc.property(views(1), ([x]) => {
        const out = new Float64Array(sizeOf(x!));
        twice(x!, out);
        expect([...out]).toEqual(elements(x!).map((v) => 2 * v + 1));
      }),
    );
  });
  it("apply a function of two elements, each with its own strides and type", () => {
    fc.assert(
      fc.property(views(2), ([a, b]) => {
        const out = new Float64Array(sizeOf(a!));
        combine(a!, b!, out);
        const other = elements(b!);
        expect([...out]).toEqual(elements(a!).map((v, i) => v - 3 * other[i]!));
      }),
    );
  });
  it("choose between two by a third", () => {
    fc.assert(
      fc.property(views(3), ([c, a, b]) => {
        const condition = { ...c!, data: c!.data.map((v: number) => v % 2) as TypedArray };
        const out = new Float64Array(sizeOf(a!));
        whereLoop(condition, a!, b!, out);
        const [yes, no] = [elements(a!), elements(b!)];
        expect([...out]).toEqual(elements(condition).map((v, i) => (v ? yes[i] : no[i])));
      }),
    );
  });
  it("copy", () => {
    fc.assert(
      fc.property(views(1), ([x]) => {
        const out = new Float32Array(sizeOf(x!));
        stridedCopy(x!, out);
        expect([...out]).toEqual(elements(x!));
      }),
    );
  });
  it("copy long rows and large transposed planes", () => {
    const data = new Float32Array(3 * 70 * 90).map((_, i) => i);
    for (const x of [
      { data, shape: [3, 70, 80], stride: [6300, 90, 1], offset: 5 },
      { data, shape: [3, 90, 70], stride: [6300, 1, 90], offset: 0 },
      { data, shape: [90, 3, 70], stride: [1, 6300, 90], offset: 0 },
    ]) {
      const out = new Float32Array(sizeOf(x));
      stridedCopy(x, out);
      expect(out).toEqual(new Float32Array(elements(x)));
    }
  });
  it("copy into strided cells and leave the others", () => {
    const out = new Float64Array(12).fill(-1);
    stridedCopyInto({ data: new Int32Array([1, 2, 3, 4]), shape: [2, 2], stride: [2, 1], offset: 0 }, out, [6, 2], 1);
    expect([...out]).toEqual([-1, 1, -1, 2, -1, -1, -1, 3, -1, 4, -1, -1]);
  });
});
