// Cases of the products: matmul and the three convolutions.
import type { ParamsOf, Shape } from "@orepa/tensor";
import { a, b, none, type SomeOpCases } from "./op-case.ts";

interface ConvSetting {
  readonly about: string;
  readonly x: Shape;
  readonly w: Shape;
  readonly y: Shape;
  readonly params: ParamsOf<"conv2d">;
}
const conv = (
  about: string,
  x: Shape,
  w: Shape,
  y: Shape,
  { stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 }: Partial<ParamsOf<"conv2d">> = {},
): ConvSetting => ({ about, x, w, y, params: { stride, padding, dilation, groups } });
const convSettings: readonly ConvSetting[] = [
  conv("3x3, padding 1", [2, 3, 4, 5], [2, 3, 3, 3], [2, 2, 4, 5], { padding: [1, 1] }),
  conv("1x1", [2, 3, 3, 2], [4, 3, 1, 1], [2, 4, 3, 2]),
  conv("stride 2 with a pixel to spare", [1, 2, 6, 5], [3, 2, 3, 3], [1, 3, 3, 3], { stride: [2, 2], padding: [1, 1] }),
  conv("stride larger than the kernel", [1, 1, 5, 5], [1, 1, 1, 1], [1, 1, 2, 2], { stride: [3, 3] }),
  conv("dilation 2", [1, 2, 6, 6], [2, 2, 3, 3], [1, 2, 4, 4], { dilation: [2, 2], padding: [1, 1] }),
  conv("two groups", [2, 4, 3, 3], [6, 2, 3, 3], [2, 6, 3, 3], { padding: [1, 1], groups: 2 }),
  conv("depthwise, whole vectors", [2, 8, 5, 4], [8, 1, 3, 3], [2, 8, 5, 4], { padding: [1, 1], groups: 8 }),
  conv("depthwise, whole vectors, stride 2", [1, 4, 5, 6], [4, 1, 3, 3], [1, 4, 2, 3], {
    ...{ stride: [2, 2], padding: [0, 1], groups: 4 },
  }),
  conv("depthwise, whole vectors, dilated", [1, 4, 6, 6], [4, 1, 3, 3], [1, 4, 6, 4], {
    ...{ padding: [2, 1], dilation: [2, 2], groups: 4 },
  }),
  conv("depthwise, stride 2", [1, 3, 5, 5], [3, 1, 3, 3], [1, 3, 3, 3], { stride: [2, 2], padding: [1, 1], groups: 3 }),
  conv("all different on both sides", [1, 2, 7, 6], [2, 1, 3, 2], [1, 2, 3, 6], {
    stride: [2, 1],
    padding: [1, 1],
    dilation: [2, 2],
    groups: 2,
  }),
  conv("all sizes 1", [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]),
];
const plainConv: ParamsOf<"conv2d"> = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
const wrongMap = { expected: "a feature map of [1, 2, 2, 2]", got: "[1, 2, 3, 3]" };

export const productCases = {
  matmul: [
    { about: "matrices", inputs: [a([3, 4]), b([4, 2])], params: none, shapes: [[3, 2]], gradients: [0, 1] },
    { about: "a batch", inputs: [a([2, 3, 4]), b([2, 4, 5])], params: none, shapes: [[2, 3, 5]], gradients: [0, 1] },
    {
      about: "two batch axes",
      inputs: [a([2, 1, 2, 3]), b([2, 1, 3, 1])],
      params: none,
      shapes: [[2, 1, 2, 1]],
      gradients: [0, 1],
    },
    { about: "an outer product", inputs: [a([3, 1]), b([1, 2])], params: none, shapes: [[3, 2]], gradients: [0, 1] },
    {
      about: "inner sizes that differ",
      inputs: [a([2, 3]), b([4, 2])],
      params: none,
      error: { expected: "inner sizes to agree", got: "[2, 3] @ [4, 2]" },
    },
    {
      about: "batches that differ",
      inputs: [a([2, 2, 3]), b([3, 3, 2])],
      params: none,
      error: { expected: "equal leading axes and dtypes", got: "[2, 2, 3] float64 @ [3, 3, 2] float64" },
    },
  ],
  conv2d: [
    ...convSettings.map(({ about, x, w, y, params }) => ({
      about,
      inputs: [a(x), b(w)],
      params,
      shapes: [y],
      gradients: [0, 1],
    })),
    {
      about: "channels that do not fit",
      inputs: [a([1, 3, 4, 4]), b([2, 2, 3, 3])],
      params: plainConv,
      error: { expected: "a weight of [O, 3, kh, kw] for input [1, 3, 4, 4]", got: "[2, 2, 3, 3]" },
    },
    {
      about: "a kernel larger than the input",
      inputs: [a([1, 1, 2, 2]), b([1, 1, 3, 3])],
      params: plainConv,
      error: { expected: "a kernel that fits into the padded input", got: "kernel 3 x 3 on input 2 x 2" },
    },
    {
      about: "groups that do not divide",
      inputs: [a([1, 3, 4, 4]), b([2, 1, 3, 3])],
      params: { ...plainConv, groups: 2 },
      error: { expected: "groups to divide input and output channels", got: "groups 2, channels 3 and 2" },
    },
  ],
  convInput: [
    ...convSettings.map(({ about, x, w, y, params }) => ({
      about,
      inputs: [a(y), b(w)],
      params: { ...params, shape: x },
      shapes: [x],
      gradients: [0, 1],
    })),
    {
      about: "a feature map of another size",
      inputs: [a([1, 2, 3, 3]), b([2, 1, 3, 3])],
      params: { ...plainConv, shape: [1, 1, 4, 4] },
      error: wrongMap,
    },
  ],
  convWeight: [
    ...convSettings.map(({ about, x, w, y, params }) => ({
      about,
      inputs: [a(x), b(y)],
      params: { ...params, shape: w },
      shapes: [w],
      gradients: [0, 1],
    })),
    {
      about: "a feature map of another size",
      inputs: [a([1, 1, 4, 4]), b([1, 2, 3, 3])],
      params: { ...plainConv, shape: [2, 1, 3, 3] },
      error: wrongMap,
    },
  ],
} satisfies SomeOpCases;
