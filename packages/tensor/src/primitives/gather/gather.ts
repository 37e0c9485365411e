// gather and its adjoint, and the order that sorts: indices are int32 tensors.
import { OpError } from "../../errors.ts";
import { type Shape, sameShape, showShape, sizeOf } from "../../shape.ts";
import { contiguous, fromData, type TensorSpec } from "../../tensor.ts";
import { primitive } from "../primitive.ts";
import * as kernels from "./kernels.ts";

const without = (shape: Shape, axis: number): Shape => shape.filter((_, i) => i !== axis);
function requireIndex(op: string, x: TensorSpec, index: TensorSpec, axis: number): void {
  if (index.dtype !== "int32") throw new OpError(op, "an int32 index", index.dtype);
  if (index.shape.length !== x.shape.length || !sameShape(without(index.shape, axis), without(x.shape, axis)))
    throw new OpError(op, `an index of shape ${showShape(x.shape)} but for axis ${axis}`, showShape(index.shape));
}

export const gather = primitive<{ readonly axis: number }>({
  doc: "entries of an axis picked by an index",
  kind: "kernel",
  infer: ([x, index], { axis }) => {
    requireIndex("gather", x!, index!, axis);
    return [{ shape: index!.shape, dtype: x!.dtype }];
  },
  evaluate: ([x, index], { axis }, [y], allocate) => {
    const out = allocate(y!.dtype, sizeOf(y!.shape));
    const g = { ...kernels.axisGeometry(x!.shape, axis), count: y!.shape[axis]! };
    kernels.gather(contiguous(x!), contiguous(index!) as Int32Array, out, g);
    return [fromData(out, y!.shape, y!.dtype)];
  },
});

export const scatterAdd = primitive<{ readonly axis: number; readonly size: number }>({
  doc: "gather's adjoint: entries added into zeros at an index",
  kind: "kernel",
  infer: ([y, index], { axis, size }) => {
    if (!sameShape(y!.shape, index!.shape))
      throw new OpError(
        "scatterAdd",
        "an index of the values' shape",
        `${showShape(index!.shape)} for ${showShape(y!.shape)}`,
      );
    requireIndex("scatterAdd", y!, index!, axis);
    return [{ shape: y!.shape.map((n, i) => (i === axis ? size : n)), dtype: y!.dtype }];
  },
  evaluate: ([y, index], { axis }, [x], allocate) => {
    const out = allocate(x!.dtype, sizeOf(x!.shape)).fill(0);
    const g = { ...kernels.axisGeometry(x!.shape, axis), count: y!.shape[axis]! };
    kernels.scatterAdd(contiguous(y!), contiguous(index!) as Int32Array, out, g);
    return [fromData(out, x!.shape, x!.dtype)];
  },
});

export const argsort = primitive<{ readonly axis: number; readonly descending: boolean }>({
  doc: "int32 order that sorts an axis; equal elements keep their order",
  kind: "kernel",
  infer: ([x]) => [{ shape: x!.shape, dtype: "int32" }],
  evaluate: ([x], { axis, descending }, [y], allocate) => {
    const out = allocate("int32", sizeOf(y!.shape)) as Int32Array;
    kernels.argsort(contiguous(x!), out, { ...kernels.axisGeometry(x!.shape, axis), descending });
    return [fromData(out, y!.shape)];
  },
});
