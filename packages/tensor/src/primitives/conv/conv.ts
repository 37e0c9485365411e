// The three convolutions, closed under differentiation: each is linear in both inputs, and their adjoints are each other.
import { OpError } from "../../errors.ts";
import { type Shape, sameShape, showShape, sizeOf } from "../../shape.ts";
import { contiguous, fromData, type TensorSpec } from "../../tensor.ts";
import { primitive, requireFloating } from "../primitive.ts";
import { isProblem } from "../problem.ts";
import type { FloatArray } from "../strided.ts";
import { type ConvGeometry, type ConvParams, convFlops, convGeometry, convOutputShape } from "./geometry.ts";
import * as kernels from "./kernels.ts";

/** The gradients' output shape cannot be worked out from their inputs. */
export interface ConvInto extends ConvParams {
  readonly shape: Shape;
}

function geometry(op: string, x: Shape, w: Shape, params: ConvParams): ConvGeometry {
  const g = convGeometry(x, w, params);
  if (isProblem(g)) throw new OpError(op, g.expected, g.got, g.hint);
  return g;
}

/** @throws OpError unless the dtypes are one floating one and `y` is what the convolution of x and w gives. */
function check(op: string, a: TensorSpec, b: TensorSpec, g: ConvGeometry, y: Shape): void {
  requireFloating(op, a);
  if (a.dtype !== b.dtype) throw new OpError(op, "equal dtypes", `${a.dtype} and ${b.dtype}`);
  const expected = convOutputShape(g);
  if (!sameShape(y, expected)) throw new OpError(op, `a feature map of ${showShape(expected)}`, showShape(y));
}

export const conv2d = primitive<ConvParams>({
  doc: "cross-correlation of x [N, C, H, W] with w [O, C / groups, kh, kw]",
  kind: "kernel",
  infer: ([x, w], p) => {
    const g = geometry("conv2d", x!.shape, w!.shape, p);
    const shape = convOutputShape(g);
    check("conv2d", x!, w!, g, shape);
    return [{ shape, dtype: x!.dtype }];
  },
  evaluate: ([x, w], p, [y], allocate) => {
    const out = allocate(y!.dtype, sizeOf(y!.shape)) as FloatArray;
    const g = geometry("conv2d", x!.shape, w!.shape, p);
    kernels.conv2d(contiguous(x!) as FloatArray, contiguous(w!) as FloatArray, out, g);
    return [fromData(out, y!.shape, y!.dtype)];
  },
  flops: ([x, w], _, p) => convFlops(geometry("conv2d", x!.shape, w!.shape, p)),
});

export const convInput = primitive<ConvInto>({
  doc: "conv2d's adjoint for x: feature map y and kernel w to an input of the given shape (a transposed convolution)",
  kind: "kernel",
  infer: ([y, w], p) => {
    check("convInput", y!, w!, geometry("convInput", p.shape, w!.shape, p), y!.shape);
    return [{ shape: p.shape, dtype: y!.dtype }];
  },
  evaluate: ([y, w], p, [x], allocate) => {
    const out = allocate(x!.dtype, sizeOf(x!.shape)) as FloatArray;
    const g = geometry("convInput", p.shape, w!.shape, p);
    kernels.convInput(contiguous(y!) as FloatArray, contiguous(w!) as FloatArray, out, g);
    return [fromData(out, x!.shape, x!.dtype)];
  },
  flops: ([, w], [x], p) => convFlops(geometry("convInput", x!.shape, w!.shape, p)),
});

export const convWeight = primitive<ConvInto>({
  doc: "conv2d's adjoint for w: input x and feature map y to a kernel of the given shape",
  kind: "kernel",
  infer: ([x, y], p) => {
    check("convWeight", x!, y!, geometry("convWeight", x!.shape, p.shape, p), y!.shape);
    return [{ shape: p.shape, dtype: x!.dtype }];
  },
  evaluate: ([x, y], p, [w], allocate) => {
    const out = allocate(w!.dtype, sizeOf(w!.shape)) as FloatArray;
    const g = geometry("convWeight", x!.shape, p.shape, p);
    kernels.convWeight(contiguous(x!) as FloatArray, contiguous(y!) as FloatArray, out, g);
    return [fromData(out, w!.shape, w!.dtype)];
  },
  flops: ([x], [w], p) => convFlops(geometry("convWeight", x!.shape, w!.shape, p)),
});
