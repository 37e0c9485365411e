// Reductions: axes shrink to size 1 (public ops drop them).
import { sizeOf } from "../../shape.ts";
import { contiguous, fromData, type TensorSpec } from "../../tensor.ts";
import { axisGeometry, cumsum as cumsumKernel } from "../gather/kernels.ts";
import { type Primitive, primitive, requireFloating } from "../primitive.ts";
import type { FloatArray, Strided, TypedArray } from "../strided.ts";
import * as loops from "./loops.ts";

export interface Reduce {
  readonly axes: readonly number[];
}
const reduced = (x: TensorSpec, axes: readonly number[]): TensorSpec => ({
  shape: x.shape.map((n, i) => (axes.includes(i) ? 1 : n)),
  dtype: x.dtype,
});

const reduction = (
  doc: string,
  kernel: (x: Strided, axes: readonly number[], out: TypedArray) => void,
): Primitive<Reduce> =>
  primitive<Reduce>({
    doc,
    kind: "reduce",
    infer: ([x], { axes }) => [reduced(x!, axes)],
    evaluate: ([x], { axes }, [y], allocate) => {
      const out = allocate(y!.dtype, sizeOf(y!.shape));
      kernel(x!.view, axes, out);
      return [fromData(out, y!.shape, y!.dtype)];
    },
    flops: ([x]) => sizeOf(x!.shape),
  });

export const sum = reduction("sum over axes", loops.sum);
export const amax = reduction("largest over axes", loops.amax);
export const amin = reduction("smallest over axes", loops.amin);

/** A primitive because batch norm then is two passes over memory and no more. */
export const varMean: Primitive<Reduce> = primitive<Reduce>({
  doc: "(variance divided by n, mean) over axes",
  kind: "reduce",
  infer: ([x], { axes }) => {
    requireFloating("varMean", x!);
    return [reduced(x!, axes), reduced(x!, axes)];
  },
  evaluate: ([x], { axes }, [v, m], allocate) => {
    const variance = allocate(v!.dtype, sizeOf(v!.shape));
    const mean = allocate(m!.dtype, sizeOf(m!.shape));
    // infer has made sure that the dtype is floating
    loops.varMean(x!.view, axes, variance as FloatArray, mean as FloatArray);
    return [fromData(variance, v!.shape, v!.dtype), fromData(mean, m!.shape, m!.dtype)];
  },
  flops: ([x]) => 4 * sizeOf(x!.shape),
});

export const cumsum = primitive<{ readonly axis: number; readonly reverse: boolean }>({
  doc: "running sum along an axis",
  kind: "reduce",
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  evaluate: ([x], { axis, reverse }, [y], allocate) => {
    const out = allocate(y!.dtype, x!.size);
    cumsumKernel(contiguous(x!), out, { ...axisGeometry(x!.shape, axis), reverse });
    return [fromData(out, y!.shape, y!.dtype)];
  },
  flops: ([x]) => sizeOf(x!.shape),
});
