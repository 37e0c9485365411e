// Cases of the primitives with indices, and of hostCall.
import { fromData } from "@orepa/tensor";
import { a, apart, floats, integers, places, type SomeOpCases } from "./op-case.ts";

export const indexCases = {
  gather: [
    {
      about: "more than there are, with repeats",
      inputs: [a([2, 3, 2]), places("gather", [2, 5, 2], 3)],
      params: { axis: 1 },
      shapes: [[2, 5, 2]],
      gradients: [0],
    },
    { about: "a vector", inputs: [a([4]), integers([3, 3, 0])], params: { axis: 0 }, shapes: [[3]], gradients: [0] },
    {
      about: "a float index",
      inputs: [a([4]), floats([0, 1])],
      params: { axis: 0 },
      error: { expected: "an int32 index", got: "float64" },
    },
    {
      about: "an index of another shape",
      inputs: [a([2, 4]), integers([0, 1, 2], [3, 1])],
      params: { axis: 1 },
      error: { expected: "an index of shape [2, 4] but for axis 1", got: "[3, 1]" },
    },
  ],
  scatterAdd: [
    {
      about: "several to one place",
      inputs: [a([2, 5, 2]), places("scatter", [2, 5, 2], 3)],
      params: { axis: 1, size: 3 },
      shapes: [[2, 3, 2]],
      gradients: [0],
    },
    {
      about: "places left empty",
      inputs: [a([2]), integers([4, 1])],
      params: { axis: 0, size: 6 },
      shapes: [[6]],
      gradients: [0],
    },
    {
      about: "an index of another shape",
      inputs: [a([3]), integers([0, 1])],
      params: { axis: 0, size: 4 },
      error: { expected: "an index of the values' shape", got: "[2] for [3]" },
    },
  ],
  argsort: [
    {
      about: "rising",
      inputs: [apart([3, 4])],
      params: { axis: 1, descending: false },
      shapes: [[3, 4]],
      gradients: [],
    },
    {
      about: "falling, first axis",
      inputs: [apart([4, 2])],
      params: { axis: 0, descending: true },
      shapes: [[4, 2]],
      gradients: [],
    },
    {
      about: "ties keep their order",
      inputs: [floats([1, 0, 1, 0])],
      params: { axis: 0, descending: true },
      shapes: [[4]],
      gradients: [],
    },
  ],
  hostCall: [
    {
      about: "two outputs",
      inputs: [a([2, 2])],
      params: {
        fn: (x) => [x, fromData(Int32Array.of(x.size), [])],
        outputs: [
          { shape: [2, 2], dtype: "float64" },
          { shape: [], dtype: "int32" },
        ],
      },
      shapes: [[2, 2], []],
      gradients: [],
    },
    {
      about: "a shape that was not declared",
      inputs: [a([2])],
      params: { fn: (x) => [x], outputs: [{ shape: [3], dtype: "float64" }] },
      error: { expected: "the declared outputs [3] float64", got: "[2] float64" },
    },
  ],
} satisfies SomeOpCases;
