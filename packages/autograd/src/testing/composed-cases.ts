// Cases of the composed ops: no primitive of their own, but values at +-100 that must stay finite, and gradients to check.
import {
  add,
  avgPool2d,
  chunk,
  clamp,
  conv2d,
  convTranspose2d,
  div,
  flatten,
  gelu,
  greater,
  hardSwish,
  indexSelect,
  leakyRelu,
  log1p,
  logicalNot,
  logSoftmax,
  logsumexp,
  matmul,
  maximum,
  maxPool2d,
  mean,
  mul,
  pad,
  relu,
  select,
  silu,
  slice,
  softmax,
  softplus,
  sort,
  square,
  squeeze,
  stack,
  sub,
  sum,
  sumTo,
  type Tensor,
  tanh,
  topk,
  transpose,
  unsqueeze,
  upsample,
  variance,
  varMean,
  where,
} from "@orepa/tensor";
import { a, apart, b, draw, extremes, floats, integers } from "./op-case.ts";

/** A function that is differentiated for all its float64 inputs, at a place where it has two derivatives. */
export interface ComposedCase {
  readonly about: string;
  readonly fn: (...x: Tensor[]) => Tensor;
  readonly inputs: readonly Tensor[];
}

const far = floats(extremes);
const activation = (fn: (x: Tensor) => Tensor): ComposedCase[] => [
  { about: "near 0", fn, inputs: [draw("activation", [2, 3], 0.1, 2)] },
  { about: "below 0", fn, inputs: [draw("activation", [3], -2, -0.1)] },
  { about: "at +-100", fn, inputs: [far] },
];
const alongAxis = (fn: (x: Tensor, dim?: number) => Tensor): ComposedCase[] => [
  { about: "last axis", fn: (x) => fn(x), inputs: [a([2, 4])] },
  { about: "inner axis", fn: (x) => fn(x, 1), inputs: [a([2, 3, 2])] },
  { about: "one element", fn: (x) => fn(x), inputs: [a([2, 1])] },
  { about: "at +-100", fn: (x) => fn(x), inputs: [far] },
  { about: "all at 100", fn: (x) => fn(x), inputs: [floats([100, 100, 100])] },
];

/** Cases by the name of the op. */
export const composedCases: Readonly<Record<string, readonly ComposedCase[]>> = {
  square: activation(square),
  relu: activation(relu),
  leakyRelu: activation((x) => leakyRelu(x, { slope: 0.1 })),
  silu: activation(silu),
  tanh: activation(tanh),
  log1p: [
    { about: "near 0", fn: log1p, inputs: [floats([0, 1e-12, -1e-12, 1e-3, 0.5, -0.5])] },
    { about: "large", fn: log1p, inputs: [floats([1, 100, 1e6])] },
  ],
  softplus: activation(softplus),
  hardSwish: activation(hardSwish),
  gelu: activation(gelu),
  clamp: [
    { about: "both limits", fn: (x) => clamp(x, { min: -0.51, max: 0.49 }), inputs: [apart([3, 4])] },
    { about: "limits that are tensors", fn: (x, low) => clamp(x, { min: low }), inputs: [apart([2, 3]), b([2, 3])] },
  ],
  softmax: alongAxis(softmax),
  logSoftmax: alongAxis(logSoftmax),
  logsumexp: alongAxis(logsumexp),

  "broadcasting binary": [
    { about: "a row", fn: (x, y) => div(mul(x, y), add(square(y), 1)), inputs: [a([3, 4]), b([4])] },
    { about: "a row and a column", fn: (x, y) => sub(mul(x, y), y), inputs: [a([3, 1]), b([1, 4])] },
    { about: "a scalar", fn: (x, y) => maximum(mul(x, y), x), inputs: [apart([2, 2]), floats([1.5], [])] },
    { about: "a batch of one", fn: (x, y) => mul(x, y), inputs: [a([1, 3, 2, 2]), b([1, 3, 1, 1])] },
  ],
  where: [
    { about: "a broadcast scalar branch", fn: (x) => where(greater(x, 0), square(x), 0.5), inputs: [apart([2, 3])] },
    { about: "not", fn: (x) => where(logicalNot(greater(x, 0)), square(x), x), inputs: [apart([4])] },
  ],

  mean: [
    { about: "all", fn: (x) => mean(x), inputs: [a([2, 3])] },
    { about: "two axes", fn: (x) => mean(x, [0, -1]), inputs: [a([2, 3, 2])] },
  ],
  variance: [{ about: "Bessel's correction", fn: (x) => variance(x, 1), inputs: [a([2, 4])] }],
  varMean: [
    {
      about: "batch normalisation",
      fn: (x, weight, bias) => {
        const [v, m] = varMean(x, [0, 2, 3], { keepdim: true });
        return add(mul(sub(x, m), div(weight, add(v, 0.1))), bias);
      },
      inputs: [a([2, 3, 2, 2]), b([1, 3, 1, 1]), draw("bias", [1, 3, 1, 1])],
    },
  ],
  sumTo: [{ about: "two axes", fn: (x) => sumTo(x, [1, 3, 1]), inputs: [a([2, 3, 4])] }],
  sum: [
    { about: "dropped and kept axes", fn: (x) => mul(sum(x, 0), sum(x, [0], { keepdim: true })), inputs: [a([2, 3])] },
  ],

  "shapes of axes": [
    { about: "squeeze, unsqueeze, flatten", fn: (x) => flatten(unsqueeze(squeeze(x), 1)), inputs: [a([2, 1, 3])] },
    { about: "select and slice", fn: (x) => mul(select(x, 1, -1), slice(x, 1, 0, 1)), inputs: [a([2, 3])] },
    { about: "chunk and stack", fn: (x) => stack(chunk(x, 2, 1), 1), inputs: [a([2, 4])] },
    { about: "pad with a value", fn: (x) => pad(x, 1, 1, 2, 0.5), inputs: [a([2, 2])] },
    { about: "transpose", fn: (x) => mul(transpose(x), x), inputs: [a([3, 3])] },
  ],

  matmul: [
    { about: "vectors", fn: matmul, inputs: [a([3]), b([3])] },
    { about: "matrix by vector", fn: matmul, inputs: [a([2, 3]), b([3])] },
    { about: "batches that broadcast", fn: matmul, inputs: [a([2, 1, 2, 3]), b([3, 3, 2])] },
    { about: "transposed operands", fn: (x, y) => matmul(transpose(x), transpose(y)), inputs: [a([3, 2]), b([4, 3])] },
  ],
  conv2d: [
    {
      about: "bias",
      fn: (x, weight, bias) => conv2d(x, weight, { bias, padding: 1, stride: 2 }),
      inputs: [a([1, 2, 4, 4]), b([3, 2, 3, 3]), draw("bias", [3])],
    },
  ],
  convTranspose2d: [
    {
      about: "stride 2, output padding, bias",
      fn: (x, weight, bias) => convTranspose2d(x, weight, { bias, stride: 2, padding: 1, outputPadding: 1 }),
      inputs: [a([1, 2, 3, 3]), b([2, 3, 3, 3]), draw("bias", [3])],
    },
    {
      about: "two groups, dilation",
      fn: (x, weight) => convTranspose2d(x, weight, { groups: 2, dilation: 2 }),
      inputs: [a([1, 4, 2, 3]), b([4, 1, 2, 2])],
    },
  ],
  maxPool2d: [
    { about: "spp", fn: (x) => maxPool2d(x, { kernelSize: 5, stride: 1, padding: 2 }), inputs: [apart([1, 2, 4, 4])] },
  ],
  avgPool2d: [
    { about: "tiles", fn: (x) => avgPool2d(x, { kernelSize: 2 }), inputs: [a([1, 2, 4, 4])] },
    {
      about: "overlapping",
      fn: (x) => avgPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }),
      inputs: [a([1, 2, 5, 5])],
    },
  ],
  upsample: [
    { about: "nearest", fn: (x) => upsample(x, { scale: 2 }), inputs: [a([1, 2, 2, 3])] },
    { about: "bilinear", fn: (x) => upsample(x, { scale: 2, mode: "bilinear" }), inputs: [a([1, 2, 3, 2])] },
    { about: "bilinear, one pixel", fn: (x) => upsample(x, { scale: 3, mode: "bilinear" }), inputs: [a([1, 1, 1, 1])] },
  ],

  indexSelect: [{ about: "with repeats", fn: (x) => indexSelect(x, 1, integers([2, 0, 2])), inputs: [a([2, 3])] }],
  sort: [{ about: "falling", fn: (x) => sort(x, 1, { descending: true }).values, inputs: [apart([2, 4])] }],
  topk: [{ about: "two of four", fn: (x) => topk(x, 2, 0).values, inputs: [apart([4, 3])] }],
};
