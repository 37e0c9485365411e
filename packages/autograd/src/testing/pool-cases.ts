// Cases of pooling and resampling.
import { Generator, type ParamsOf, type Shape, type Tensor } from "@orepa/tensor";
import { a, apart, draw, floats, integers, places, type SomeOpCases } from "./op-case.ts";

interface PoolSetting {
  readonly about: string;
  readonly x: Shape;
  readonly y: Shape;
  readonly params: ParamsOf<"maxPool">;
}
const poolSettings: readonly PoolSetting[] = [
  {
    about: "5x5, stride 1, padding 2",
    x: [1, 2, 5, 4],
    y: [1, 2, 5, 4],
    params: { size: [5, 5], stride: [1, 1], padding: [2, 2] },
  },
  {
    about: "2x2, stride 2",
    x: [2, 1, 4, 5],
    y: [2, 1, 2, 2],
    params: { size: [2, 2], stride: [2, 2], padding: [0, 0] },
  },
  {
    about: "sides differ",
    x: [1, 2, 5, 6],
    y: [1, 2, 3, 4],
    params: { size: [3, 2], stride: [2, 2], padding: [1, 1] },
  },
  { about: "one pixel", x: [1, 1, 1, 1], y: [1, 1, 1, 1], params: { size: [1, 1], stride: [1, 1], padding: [0, 0] } },
];
/** Where the maxima of a pooling may have been: any place of each window, drawn at random. */
function maxima({ about, x, y, params }: PoolSetting): Tensor {
  const generator = new Generator(about);
  const [H, W] = x.slice(2) as [number, number];
  const within = (out: number, axis: 0 | 1, n: number): number => {
    const from = out * params.stride[axis] - params.padding[axis];
    const [first, end] = [Math.max(0, from), Math.min(n, from + params.size[axis])];
    return first + generator.integer(end - first);
  };
  const [planes, Ho, Wo] = [y[0]! * y[1]!, y[2]!, y[3]!];
  const windows = Array.from({ length: planes * Ho * Wo }, (_, k) => [Math.floor(k / Wo) % Ho, k % Wo] as const);
  return integers(
    windows.map(([i, j]) => within(i, 0, H) * W + within(j, 1, W)),
    y,
  );
}

export const poolCases = {
  maxPool: [
    ...poolSettings.map(({ about, x, y, params }) => ({
      about,
      inputs: [apart(x)],
      params,
      shapes: [y, y],
      gradients: [0],
    })),
    {
      about: "ties, the first wins",
      inputs: [floats([1, 1, 1, 1], [1, 1, 2, 2])],
      params: { size: [2, 2], stride: [2, 2], padding: [0, 0] },
      shapes: [
        [1, 1, 1, 1],
        [1, 1, 1, 1],
      ],
      gradients: [],
    },
    {
      about: "all negative beside the border",
      inputs: [draw("negative", [1, 1, 3, 3], -2, -1)],
      params: { size: [3, 3], stride: [2, 2], padding: [1, 1] },
      shapes: [
        [1, 1, 2, 2],
        [1, 1, 2, 2],
      ],
      gradients: [],
    },
    {
      about: "padding of more than half the window",
      inputs: [a([1, 1, 4, 4])],
      params: { size: [2, 2], stride: [2, 2], padding: [2, 2] },
      error: { expected: "padding of at most half the window", got: "padding [2, 2], size [2, 2]" },
    },
  ],
  maxUnpool: [
    ...poolSettings.map(({ about, x, y, params }) => ({
      about,
      inputs: [a(y), maxima({ about, x, y, params })],
      params: { ...params, shape: x },
      shapes: [x],
      gradients: [0],
    })),
    {
      about: "windows that do not fit",
      inputs: [a([1, 1, 3, 3]), places("unfit", [1, 1, 3, 3], 16)],
      params: { size: [2, 2], stride: [2, 2], padding: [0, 0], shape: [1, 1, 4, 4] },
      error: { expected: "one element per window, [1, 1, 2, 2]", got: "[1, 1, 3, 3]" },
    },
  ],
  maxGather: [
    ...poolSettings.map(({ about, x, y, params }) => ({
      about,
      inputs: [a(x), maxima({ about, x, y, params })],
      params,
      shapes: [y],
      gradients: [0],
    })),
    {
      about: "windows that do not fit",
      inputs: [a([1, 1, 4, 4]), places("unfit", [1, 1, 3, 3], 16)],
      params: { size: [2, 2], stride: [2, 2], padding: [0, 0] },
      error: { expected: "one element per window, [1, 1, 2, 2]", got: "[1, 1, 3, 3]" },
    },
  ],
  upsample: [
    { about: "by 2", inputs: [a([2, 2, 2, 3])], params: { by: 2 }, shapes: [[2, 2, 4, 6]], gradients: [0] },
    { about: "by 3, one pixel", inputs: [a([1, 2, 1, 1])], params: { by: 3 }, shapes: [[1, 2, 3, 3]], gradients: [0] },
    {
      about: "three axes",
      inputs: [a([2, 2, 3])],
      params: { by: 2 },
      error: { expected: "a tensor of 4 axes", got: "[2, 2, 3]" },
    },
  ],
  sumPool: [
    { about: "by 2", inputs: [a([2, 2, 4, 6])], params: { by: 2 }, shapes: [[2, 2, 2, 3]], gradients: [0] },
    { about: "by 3, one block", inputs: [a([1, 2, 3, 3])], params: { by: 3 }, shapes: [[1, 2, 1, 1]], gradients: [0] },
    {
      about: "a size that does not divide",
      inputs: [a([1, 1, 4, 5])],
      params: { by: 2 },
      error: { expected: "height and width that 2 divides", got: "[1, 1, 4, 5]" },
    },
  ],
} satisfies SomeOpCases;
