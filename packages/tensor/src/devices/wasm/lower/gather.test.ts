// Primitives along one axis of the wasm device against the reference kernels, over all kinds of places.
import { describe, expect, it } from "vitest";
import { type Concrete, contiguous, fromData } from "../../../tensor.ts";
import { difference, LAYOUTS, numbers, reference, runLowered, TestingBuilder } from "../testing/builder.ts";
import { gatherLowerings } from "./gather.ts";

const SHAPES = [[5], [3, 4], [2, 70, 3], [2, 3, 4, 5], [1, 1], [0, 3], [3, 1, 20, 70]] as const;
const cases = SHAPES.flatMap((shape) => shape.map((_, axis) => ({ shape: [...shape], axis })));

const eachLayout = (
  check: (layouts: { inputs: (typeof LAYOUTS)[number]; outputs: (typeof LAYOUTS)[number] }) => void,
) => {
  for (const inputs of LAYOUTS) for (const outputs of LAYOUTS) check({ inputs, outputs });
};
/** Indices below `size`, in the shape with `count` of them along the axis. */
function indices(from: readonly number[], axis: number, count: number): Concrete {
  const size = from[axis]!;
  const shape = from.map((n, i) => (i === axis ? count : n));
  const values = contiguous(numbers(shape, (x) => Math.floor(((x + 1) / 2) * size)));
  return fromData(Int32Array.from(values), shape);
}
const values = (tensors: readonly Concrete[]) => tensors.map((t) => Float32Array.from(contiguous(t)));

describe.each(cases)("along axis $axis of $shape", ({ shape, axis }) => {
  it("picks entries and adds them back", () => {
    for (const count of shape.includes(0) ? [shape[axis]!] : [1, 7]) {
      const x = numbers(shape);
      const index = indices(shape, axis, count);
      const y = numbers(index.shape);
      eachLayout((layouts) => {
        const picked = runLowered(gatherLowerings.gather, "gather", [x, index], { axis }, layouts);
        expect(difference(picked, values(reference("gather", [x, index], { axis })))).toBe("");
        const params = { axis, size: shape[axis]! };
        const added = runLowered(gatherLowerings.scatterAdd, "scatterAdd", [y, index], params, layouts);
        expect(difference(added, values(reference("scatterAdd", [y, index], params)))).toBe("");
      });
    }
  });
  it.each([false, true])("sorts, descending %s, equal elements in order and NaN the largest", (descending) => {
    const x = numbers(shape, (v, i) => (i % 13 === 5 ? Number.NaN : Math.round(4 * v)));
    eachLayout((layouts) => {
      const got = runLowered(gatherLowerings.argsort, "argsort", [x], { axis, descending }, layouts);
      expect(difference(got, values(reference("argsort", [x], { axis, descending })))).toBe("");
    });
  });
  it.each([false, true])("sums up, reversed %s", (reverse) => {
    const x = numbers(shape);
    eachLayout((layouts) => {
      const got = runLowered(gatherLowerings.cumsum, "cumsum", [x], { axis, reverse }, layouts);
      expect(difference(got, values(reference("cumsum", [x], { axis, reverse })))).toBe("");
    });
  });
});

describe("an index outside of the axis", () => {
  it.each([-1, 3])("is an error: %i of 3", (at) => {
    const builder = new TestingBuilder(2);
    const given = (numbers: readonly number[]) => {
      const t = fromData(Float32Array.from(numbers), [numbers.length]);
      builder.define(t, builder.lay(t.shape, "rowMajor"));
      builder.write(builder.place(t), numbers);
      return t;
    };
    const [x, index, y] = [given([1, 2, 3]), given([1, at, 0]), given([0, 0, 0])];
    expect(() =>
      gatherLowerings.gather({ name: "gather", inputs: [x, index], params: { axis: 0 }, outputs: [y] }, builder),
    ).toThrow(`gather: expected an index in 0..2, got ${at}`);
    const params = { axis: 0, size: 3 };
    expect(() =>
      gatherLowerings.scatterAdd({ name: "scatterAdd", inputs: [x, index], params, outputs: [y] }, builder),
    ).toThrow(`scatterAdd: expected an index in 0..2, got ${at}`);
  });
});
