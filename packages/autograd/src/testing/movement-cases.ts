// Cases of the movement primitives.
import type { ParamsOf } from "@orepa/tensor";
import { a, b, draw, type SomeOpCases } from "./op-case.ts";

function range(axis: number, start: number, end: number, step = 1): ParamsOf<"slice"> {
  return { axis, start, end, step };
}
function border(axis: number, before: number, after: number, step = 1): ParamsOf<"pad"> {
  return { axis, before, after, step };
}

export const movementCases = {
  expand: [
    {
      about: "first and last axis",
      inputs: [a([1, 3, 1])],
      params: { shape: [2, 3, 4] },
      shapes: [[2, 3, 4]],
      gradients: [0],
    },
    { about: "to itself", inputs: [a([1, 3])], params: { shape: [1, 3] }, shapes: [[1, 3]], gradients: [0] },
    { about: "no axis of size 1", inputs: [a([2, 3])], params: { shape: [2, 3] }, shapes: [[2, 3]], gradients: [0] },
    { about: "to nothing", inputs: [a([1, 3])], params: { shape: [0, 3] }, shapes: [[0, 3]], gradients: [0] },
    {
      about: "an axis that is not 1",
      inputs: [a([2, 3])],
      params: { shape: [4, 3] },
      error: { expected: "a shape that fits [4, 3]", got: "[2, 3]" },
    },
  ],
  reshape: [
    { about: "merge axes", inputs: [a([2, 3, 4])], params: { shape: [6, 4] }, shapes: [[6, 4]], gradients: [0] },
    { about: "cut an axis", inputs: [a([6, 4])], params: { shape: [2, 3, 4] }, shapes: [[2, 3, 4]], gradients: [0] },
    { about: "across axes", inputs: [a([4, 3])], params: { shape: [2, 6] }, shapes: [[2, 6]], gradients: [0] },
    { about: "to a scalar", inputs: [a([1, 1])], params: { shape: [] }, shapes: [[]], gradients: [0] },
    {
      about: "another number of elements",
      inputs: [a([2, 3])],
      params: { shape: [5] },
      error: { expected: "a shape of 6 elements", got: "[5]" },
    },
  ],
  permute: [
    { about: "rotated", inputs: [a([2, 3, 4])], params: { order: [1, 2, 0] }, shapes: [[3, 4, 2]], gradients: [0] },
    {
      about: "to channels last",
      inputs: [a([2, 3, 1, 4])],
      params: { order: [0, 2, 3, 1] },
      shapes: [[2, 1, 4, 3]],
      gradients: [0],
    },
    {
      about: "an axis twice",
      inputs: [a([2, 3])],
      params: { order: [0, 0] },
      error: { expected: "each of 0..1 once", got: "[0, 0]" },
    },
  ],
  flip: [
    { about: "one axis", inputs: [a([2, 3])], params: { axes: [1] }, shapes: [[2, 3]], gradients: [0] },
    { about: "all axes", inputs: [a([2, 1, 3])], params: { axes: [0, 1, 2] }, shapes: [[2, 1, 3]], gradients: [0] },
    { about: "nothing", inputs: [a([0, 3])], params: { axes: [0] }, shapes: [[0, 3]], gradients: [0] },
  ],
  slice: [
    { about: "a middle", inputs: [a([5, 3])], params: range(0, 1, 4), shapes: [[3, 3]], gradients: [0] },
    {
      about: "every second, to the end",
      inputs: [a([2, 5])],
      params: range(1, 0, 5, 2),
      shapes: [[2, 3]],
      gradients: [0],
    },
    {
      about: "every third, rest left over",
      inputs: [a([8])],
      params: range(0, 1, 8, 3),
      shapes: [[3]],
      gradients: [0],
    },
    { about: "a step past the end", inputs: [a([4])], params: range(0, 1, 4, 9), shapes: [[1]], gradients: [0] },
    { about: "nothing", inputs: [a([4, 2])], params: range(0, 2, 2), shapes: [[0, 2]], gradients: [0] },
    {
      about: "past the end",
      inputs: [a([2, 3])],
      params: range(1, 1, 5),
      error: { expected: "0 <= start <= end <= 3 and step >= 1", got: "1:5:1" },
    },
  ],
  pad: [
    { about: "both sides", inputs: [a([2, 3])], params: border(1, 1, 2), shapes: [[2, 6]], gradients: [0] },
    { about: "before, first axis", inputs: [a([2, 3])], params: border(0, 2, 0), shapes: [[4, 3]], gradients: [0] },
    { about: "between", inputs: [a([3, 2])], params: border(0, 1, 1, 3), shapes: [[9, 2]], gradients: [0] },
    {
      about: "between, nothing around",
      inputs: [a([2, 3])],
      params: border(1, 0, 0, 2),
      shapes: [[2, 5]],
      gradients: [0],
    },
    { about: "of nothing", inputs: [a([0, 2])], params: border(0, 1, 2, 2), shapes: [[3, 2]], gradients: [0] },
    {
      about: "negative",
      inputs: [a([2, 3])],
      params: border(1, -1, 0),
      error: { expected: "no negative padding", got: "-1, 0" },
    },
  ],
  split: [
    {
      about: "three pieces, one of size 1",
      inputs: [a([2, 6, 2])],
      params: { axis: 1, sizes: [2, 1, 3] },
      shapes: [
        [2, 2, 2],
        [2, 1, 2],
        [2, 3, 2],
      ],
      gradients: [0],
    },
    { about: "one piece", inputs: [a([3])], params: { axis: 0, sizes: [3] }, shapes: [[3]], gradients: [0] },
    {
      about: "an empty piece",
      inputs: [a([3, 2])],
      params: { axis: 0, sizes: [0, 3] },
      shapes: [
        [0, 2],
        [3, 2],
      ],
      gradients: [0],
    },
    {
      about: "too few",
      inputs: [a([2, 6])],
      params: { axis: 1, sizes: [2, 3] },
      error: { expected: "sizes that add up to 6", got: "[2, 3]" },
    },
  ],
  concat: [
    {
      about: "three of different sizes",
      inputs: [a([2, 1, 2]), b([2, 3, 2]), draw("c", [2, 2, 2])],
      params: { axis: 1 },
      shapes: [[2, 6, 2]],
      gradients: [0, 1, 2],
    },
    { about: "one", inputs: [a([2, 3])], params: { axis: 0 }, shapes: [[2, 3]], gradients: [0] },
    { about: "last axis", inputs: [a([2, 3]), b([2, 1])], params: { axis: 1 }, shapes: [[2, 4]], gradients: [0, 1] },
    {
      about: "with an empty one",
      inputs: [a([0, 3]), b([2, 3])],
      params: { axis: 0 },
      shapes: [[2, 3]],
      gradients: [0, 1],
    },
    { about: "none", inputs: [], params: { axis: 0 }, error: { expected: "at least one tensor", got: "none" } },
    {
      about: "shapes that differ elsewhere",
      inputs: [a([2, 3]), b([3, 3])],
      params: { axis: 1 },
      error: { expected: "[2, 3] float64 but for axis 1", got: "[3, 3] float64" },
    },
  ],
} satisfies SomeOpCases;
