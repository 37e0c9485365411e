// Cases of the reductions.
import { a, apart, draw, floats, integers, notFloat, type SomeOpCases } from "./op-case.ts";

export const reduceCases = {
  sum: [
    { about: "inner axis", inputs: [a([2, 3, 4])], params: { axes: [1] }, shapes: [[2, 1, 4]], gradients: [0] },
    { about: "outer and last", inputs: [a([2, 3, 4])], params: { axes: [0, 2] }, shapes: [[1, 3, 1]], gradients: [0] },
    {
      about: "per channel",
      inputs: [a([2, 3, 2, 2])],
      params: { axes: [0, 2, 3] },
      shapes: [[1, 3, 1, 1]],
      gradients: [0],
    },
    { about: "an axis of size 1", inputs: [a([2, 1])], params: { axes: [1] }, shapes: [[2, 1]], gradients: [0] },
    { about: "of nothing", inputs: [a([0, 2])], params: { axes: [0] }, shapes: [[1, 2]], gradients: [0] },
    { about: "int32", inputs: [integers([3, 4], [2])], params: { axes: [0] }, shapes: [[1]], gradients: [] },
  ],
  amax: [
    { about: "inner axis", inputs: [apart([2, 3, 4])], params: { axes: [1] }, shapes: [[2, 1, 4]], gradients: [0] },
    { about: "all axes", inputs: [apart([3, 4])], params: { axes: [0, 1] }, shapes: [[1, 1]], gradients: [0] },
    { about: "an axis of size 1", inputs: [apart([2, 1])], params: { axes: [1] }, shapes: [[2, 1]], gradients: [0] },
    { about: "ties", inputs: [floats([2, 2, 1, 2])], params: { axes: [0] }, shapes: [[1]], gradients: [] },
    {
      about: "-infinity only",
      inputs: [floats([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])],
      params: { axes: [0] },
      shapes: [[1]],
      gradients: [],
    },
  ],
  amin: [
    { about: "inner axis", inputs: [apart([2, 3, 4])], params: { axes: [1] }, shapes: [[2, 1, 4]], gradients: [0] },
    {
      about: "outer and last",
      inputs: [apart([2, 3, 4])],
      params: { axes: [0, 2] },
      shapes: [[1, 3, 1]],
      gradients: [0],
    },
    { about: "ties", inputs: [floats([2, 2, 3])], params: { axes: [0] }, shapes: [[1]], gradients: [] },
  ],
  varMean: [
    {
      about: "per channel",
      inputs: [a([2, 3, 2, 2])],
      params: { axes: [0, 2, 3] },
      shapes: [
        [1, 3, 1, 1],
        [1, 3, 1, 1],
      ],
      gradients: [0],
    },
    {
      about: "last axis",
      inputs: [a([3, 4])],
      params: { axes: [1] },
      shapes: [
        [3, 1],
        [3, 1],
      ],
      gradients: [0],
    },
    {
      about: "one element",
      inputs: [a([2, 1])],
      params: { axes: [1] },
      shapes: [
        [2, 1],
        [2, 1],
      ],
      gradients: [0],
    },
    {
      about: "far from 0",
      inputs: [draw("far", [4, 3], 1000, 1001)],
      params: { axes: [0] },
      shapes: [
        [1, 3],
        [1, 3],
      ],
      gradients: [],
    },
    { about: "int32", inputs: [integers([1, 2])], params: { axes: [0] }, error: notFloat },
  ],
  cumsum: [
    {
      about: "inner axis",
      inputs: [a([2, 3, 2])],
      params: { axis: 1, reverse: false },
      shapes: [[2, 3, 2]],
      gradients: [0],
    },
    {
      about: "from the end",
      inputs: [a([2, 4])],
      params: { axis: 1, reverse: true },
      shapes: [[2, 4]],
      gradients: [0],
    },
    {
      about: "an axis of size 1",
      inputs: [a([1, 3])],
      params: { axis: 0, reverse: false },
      shapes: [[1, 3]],
      gradients: [0],
    },
  ],
} satisfies SomeOpCases;
