// Public products, convolutions, pooling and resampling.
import { bind } from "../bind.ts";
import { full } from "../creation.ts";
import { allocate, promote } from "../dtype.ts";
import { OpError } from "../errors.ts";
import type { ConvParams, Pair } from "../primitives/conv/geometry.ts";
import type { PoolParams } from "../primitives/pool/kernels.ts";
import { broadcastShapes, dims, showShape } from "../shape.ts";
import { fromData, type Tensor } from "../tensor.ts";
import { add, cast, mul } from "./pointwise.ts";
import { expand, reshape, squeeze, transpose, unsqueeze } from "./shape.ts";

/** A number for both, or [vertical, horizontal]. */
export type Sizes = number | Pair;
const pair = (x: Sizes): Pair => (typeof x === "number" ? [x, x] : x);

/**
 * Matrix product. [.., M, K] @ [.., K, N] = [.., M, N], leading axes broadcast; a vector is a row on the left, a column
 * on the right, and its axis goes away.
 * @throws OpError if the inner sizes differ.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.rank === 0 || b.rank === 0)
    throw new OpError(
      "matmul",
      "tensors of at least one axis",
      `${showShape(a.shape)} @ ${showShape(b.shape)}`,
      "use mul",
    );
  if (a.rank === 1) return squeeze(matmul(unsqueeze(a, 0), b), b.rank === 1 ? 0 : -2);
  if (b.rank === 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  const dtype = promote(a.dtype, b.dtype);
  const batch = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  const x = expand(cast(a, dtype), [...batch, ...a.shape.slice(-2)]);
  const y = expand(cast(b, dtype), [...batch, ...b.shape.slice(-2)]);
  return bind("matmul", [x, y], {})[0]!;
}

export interface ConvOptions {
  /** [O], added to every pixel. */
  readonly bias?: Tensor | undefined;
  readonly stride?: Sizes;
  readonly padding?: Sizes;
  readonly dilation?: Sizes;
  readonly groups?: number;
}
const convParams = ({ stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions): ConvParams => ({
  stride: pair(stride),
  padding: pair(padding),
  dilation: pair(dilation),
  groups,
});
const withBias = (y: Tensor, bias: Tensor | undefined): Tensor => (bias ? add(y, reshape(bias, [1, -1, 1, 1])) : y);

/**
 * Cross-correlation. x [N, C, H, W], weight [O, C / groups, kh, kw] gives [N, O, Ho, Wo] with
 * Ho = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1.
 * @throws OpError if the channels, groups or sizes do not fit.
 */
export const conv2d = (x: Tensor, weight: Tensor, options: ConvOptions = {}): Tensor =>
  withBias(bind("conv2d", [x, weight], convParams(options))[0]!, options.bias);

/**
 * Transposed convolution: the gradient of conv2d for its input. x [N, C, H, W], weight [C, O / groups, kh, kw] gives
 * [N, O, Ho, Wo] with Ho = (H - 1) stride - 2 padding + dilation (kh - 1) + outputPadding + 1.
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  { outputPadding = 0, ...options }: ConvOptions & { readonly outputPadding?: Sizes } = {},
): Tensor {
  const { N, H, W } = dims(x, "N C H W", "convTranspose2d");
  const { O, kh, kw } = dims(weight, "C O kh kw", "convTranspose2d");
  const p = convParams(options);
  const extra = pair(outputPadding);
  const side = (n: number, k: number, i: 0 | 1) =>
    (n - 1) * p.stride[i] - 2 * p.padding[i] + p.dilation[i] * (k - 1) + extra[i] + 1;
  const shape = [N, O * p.groups, side(H, kh, 0), side(W, kw, 1)];
  return withBias(bind("convInput", [x, weight], { ...p, shape })[0]!, options.bias);
}

export interface PoolOptions {
  readonly kernelSize: Sizes;
  /** The kernel's size if left out. */
  readonly stride?: Sizes;
  readonly padding?: Sizes;
}
const poolParams = ({ kernelSize, stride = kernelSize, padding = 0 }: PoolOptions): PoolParams => ({
  size: pair(kernelSize),
  stride: pair(stride),
  padding: pair(padding),
});

/** Largest element of each window of [N, C, H, W]; windows are clipped at the border, so padding never wins. */
export const maxPool2d = (x: Tensor, options: PoolOptions): Tensor => bind("maxPool", [x], poolParams(options))[0]!;

/** Mean of each window of [N, C, H, W]; padded zeros count. */
export function avgPool2d(x: Tensor, options: PoolOptions): Tensor {
  const { size, stride, padding } = poolParams(options);
  const { C, H, W } = dims(x, "N C H W", "avgPool2d");
  const [kh, kw] = size;
  const tiles =
    kh === kw && kh === stride[0] && kw === stride[1] && !padding[0] && !padding[1] && H % kh === 0 && W % kw === 0;
  if (tiles) return mul(bind("sumPool", [x], { by: kh })[0]!, 1 / (kh * kw));
  const weight = full([C, 1, kh, kw], 1 / (kh * kw), { dtype: x.dtype });
  return conv2d(x, weight, { stride, padding, groups: C });
}

/** Enlarges [N, C, H, W] by a whole factor: nearest, or bilinear with half-pixel centres (align_corners = false). */
export function upsample(
  x: Tensor,
  { scale, mode = "nearest" }: { readonly scale: number; readonly mode?: "nearest" | "bilinear" },
): Tensor {
  if (!Number.isInteger(scale) || scale < 1) throw new OpError("upsample", "a whole scale >= 1", String(scale));
  if (scale === 1) return x;
  if (mode === "nearest") return bind("upsample", [x], { by: scale })[0]!;
  const { H, W } = dims(x, "N C H W", "upsample");
  return matmul(matmul(interpolation(H, scale, x), x), transpose(interpolation(W, scale, x)));
}

/** [n scale, n] matrix of linear interpolation, rows of two weights. */
function interpolation(n: number, scale: number, { dtype }: Tensor): Tensor {
  const data = allocate(dtype, n * scale * n);
  for (let i = 0; i < n * scale; i++) {
    const at = Math.max(0, (i + 0.5) / scale - 0.5);
    const low = Math.floor(at);
    const high = Math.min(low + 1, n - 1);
    data[i * n + low]! += 1 - (at - low);
    data[i * n + high]! += at - low;
  }
  return fromData(data, [n * scale, n], dtype);
}
