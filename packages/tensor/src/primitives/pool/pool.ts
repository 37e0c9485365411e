// Max pooling with its two adjoints, and the pair of nearest upsampling and block sums.
import { OpError } from "../../errors.ts";
import { type Shape, sameShape, showShape, sizeOf } from "../../shape.ts";
import { contiguous, fromData, type TensorSpec } from "../../tensor.ts";
import { type Primitive, primitive, requireFloating, requireRank } from "../primitive.ts";
import { isProblem } from "../problem.ts";
import type { FloatArray } from "../strided.ts";
import * as kernels from "./kernels.ts";

/** maxUnpool's output shape cannot be worked out from its inputs. */
export interface PoolInto extends kernels.PoolParams {
  readonly shape: Shape;
}

function geometry(op: string, x: Shape, params: kernels.PoolParams): kernels.PoolGeometry {
  const g = kernels.poolGeometry(x, params);
  if (isProblem(g)) throw new OpError(op, g.expected, g.got, g.hint);
  return g;
}
function outputShape(op: string, x: Shape, params: kernels.PoolParams): Shape {
  const { Ho, Wo } = geometry(op, x, params);
  return [x[0]!, x[1]!, Ho, Wo];
}
function requireWindows(op: string, { shape }: TensorSpec, x: Shape, params: kernels.PoolParams): void {
  const expected = outputShape(op, x, params);
  if (!sameShape(shape, expected))
    throw new OpError(op, `one element per window, ${showShape(expected)}`, showShape(shape));
}

export const maxPool = primitive<kernels.PoolParams>({
  doc: "(largest of each window, its int32 place in the plane); windows are clipped at the border",
  kind: "kernel",
  infer: ([x], p) => {
    requireFloating("maxPool", x!);
    const shape = outputShape("maxPool", x!.shape, p);
    return [
      { shape, dtype: x!.dtype },
      { shape, dtype: "int32" },
    ];
  },
  evaluate: ([x], p, [y], allocate) => {
    const out = allocate(y!.dtype, sizeOf(y!.shape)) as FloatArray;
    const index = allocate("int32", out.length) as Int32Array;
    kernels.maxPool(contiguous(x!) as FloatArray, out, index, geometry("maxPool", x!.shape, p));
    return [fromData(out, y!.shape), fromData(index, y!.shape)];
  },
  flops: (_, [y], { size }) => sizeOf(y!.shape) * size[0] * size[1],
});

export const maxUnpool = primitive<PoolInto>({
  doc: "maxPool's adjoint: y added at the places of the maxima, each inside its window",
  kind: "kernel",
  infer: ([y, index], p) => {
    requireWindows("maxUnpool", y!, p.shape, p);
    requireWindows("maxUnpool", index!, p.shape, p);
    return [{ shape: p.shape, dtype: y!.dtype }];
  },
  evaluate: ([y, index], p, [x], allocate) => {
    const out = allocate(x!.dtype, sizeOf(x!.shape)).fill(0) as FloatArray;
    kernels.maxUnpool(
      contiguous(y!) as FloatArray,
      contiguous(index!) as Int32Array,
      out,
      geometry("maxUnpool", p.shape, p),
    );
    return [fromData(out, x!.shape)];
  },
});

export const maxGather = primitive<kernels.PoolParams>({
  doc: "maxUnpool's adjoint: x read at the places of the maxima",
  kind: "kernel",
  infer: ([x, index], p) => {
    requireFloating("maxGather", x!);
    requireWindows("maxGather", index!, x!.shape, p);
    return [{ shape: index!.shape, dtype: x!.dtype }];
  },
  evaluate: ([x, index], p, [y], allocate) => {
    const out = allocate(y!.dtype, sizeOf(y!.shape)) as FloatArray;
    kernels.maxGather(
      contiguous(x!) as FloatArray,
      contiguous(index!) as Int32Array,
      out,
      geometry("maxGather", x!.shape, p),
    );
    return [fromData(out, y!.shape)];
  },
});

export interface Scale {
  /** Whole factor of height and width. */
  readonly by: number;
}
const scaled = (
  name: string,
  doc: string,
  sizes: (n: number, by: number) => number,
  kernel: (x: FloatArray, y: FloatArray, g: kernels.ScaleGeometry) => void,
): Primitive<Scale> =>
  primitive<Scale>({
    doc,
    kind: "kernel",
    infer: ([x], { by }) => {
      requireFloating(name, x!);
      requireRank(name, x!, 4);
      const [N, C, H, W] = x!.shape as [number, number, number, number];
      const shape = [N, C, sizes(H, by), sizes(W, by)];
      if (!shape.every(Number.isInteger))
        throw new OpError(name, `height and width that ${by} divides`, showShape(x!.shape));
      return [{ shape, dtype: x!.dtype }];
    },
    evaluate: ([x], { by }, [y], allocate) => {
      const out = allocate(y!.dtype, sizeOf(y!.shape)) as FloatArray;
      const [N, C, h, w] = x!.shape as [number, number, number, number];
      const small = { H: Math.min(h, y!.shape[2]!), W: Math.min(w, y!.shape[3]!) };
      kernel(contiguous(x!) as FloatArray, out, { planes: N * C, ...small, by });
      return [fromData(out, y!.shape)];
    },
  });

export const upsample = scaled("upsample", "each pixel repeated by x by times", (n, by) => n * by, kernels.upsample);
export const sumPool = scaled("sumPool", "sum of each block of by x by", (n, by) => n / by, kernels.sumPool);
