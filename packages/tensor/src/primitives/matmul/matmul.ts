// matmul: batched matrix product. Transposed operands (views) are read in place.
import { OpError } from "../../errors.ts";
import { sameShape, showShape, sizeOf } from "../../shape.ts";
import { type Concrete, contiguous, fromData, fromView, isContiguous } from "../../tensor.ts";
import { primitive, requireFloating } from "../primitive.ts";
import type { FloatArray } from "../strided.ts";
import { matmul as kernel } from "./kernels.ts";

export const matmul = primitive({
  doc: "[.., M, K] @ [.., K, N] = [.., M, N], equal leading axes",
  kind: "kernel",
  infer: ([a, b]) => {
    requireFloating("matmul", a!);
    const x = a!.shape;
    const y = b!.shape;
    if (x.length < 2 || x.length !== y.length || a!.dtype !== b!.dtype || !sameShape(x.slice(0, -2), y.slice(0, -2)))
      throw new OpError(
        "matmul",
        "equal leading axes and dtypes",
        `${showShape(x)} ${a!.dtype} @ ${showShape(y)} ${b!.dtype}`,
      );
    if (x.at(-1) !== y.at(-2))
      throw new OpError(
        "matmul",
        "inner sizes to agree",
        `${showShape(x)} @ ${showShape(y)}`,
        `${x.at(-1)} != ${y.at(-2)}`,
      );
    return [{ shape: [...x.slice(0, -1), y.at(-1)!], dtype: a!.dtype }];
  },
  evaluate: ([a, b], _, [y], allocate) => {
    const [M, N] = y!.shape.slice(-2) as [number, number];
    const K = a!.shape.at(-1)!;
    const out = allocate(y!.dtype, sizeOf(y!.shape)) as FloatArray;
    const x = operand(a!);
    const z = operand(b!);
    const batch = sizeOf(y!.shape.slice(0, -2));
    kernel(x.data, z.data, out, { batch, M, K, N, transposeA: x.transposed, transposeB: z.transposed });
    return [fromData(out, y!.shape, y!.dtype)];
  },
  flops: ([a], [y]) => 2 * sizeOf(y!.shape) * a!.shape.at(-1)!,
});

/** Row-major data, of the matrix or (no copy) of its transpose. infer has made sure that it is floating. */
function operand(t: Concrete): { data: FloatArray; transposed: boolean } {
  const { stride, offset } = t.view;
  const swap = <T>(list: readonly T[]): T[] => [...list.slice(0, -2), list.at(-1)!, list.at(-2)!];
  const flipped = fromView(t, swap(t.shape), swap(stride), offset);
  return isContiguous(t) || !isContiguous(flipped)
    ? { data: contiguous(t) as FloatArray, transposed: false }
    : { data: contiguous(flipped) as FloatArray, transposed: true };
}
