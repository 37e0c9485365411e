// Movement primitives: on the cpu views that share data; pad and concat (and reshape of strided data) copy.
import { OpError } from "../../errors.ts";
import { rowMajor, type Shape, sameShape, showShape, sizeOf } from "../../shape.ts";
import { type Concrete, contiguous, fromData, fromView, type Tensor, type TensorSpec } from "../../tensor.ts";
import { stridedCopyInto } from "../pointwise/loops.ts";
import { primitive, requireRank } from "../primitive.ts";

const withAxis = (shape: Shape, axis: number, n: number): Shape => shape.map((m, i) => (i === axis ? n : m));
const like = (x: TensorSpec, shape: Shape): TensorSpec => ({ shape, dtype: x.dtype });

export const expand = primitive<{ readonly shape: Shape }>({
  doc: "axes of size 1 repeated to the given shape",
  kind: "view",
  infer: ([x], { shape }) => {
    requireRank("expand", x!, shape.length);
    if (x!.shape.some((n, i) => n !== shape[i] && n !== 1))
      throw new OpError(
        "expand",
        `a shape that fits ${showShape(shape)}`,
        showShape(x!.shape),
        "only axes of size 1 grow",
      );
    return [like(x!, shape)];
  },
  evaluate: ([x], { shape }) => [
    fromView(
      x!,
      shape,
      shape.map((n, i) => (x!.shape[i] === n ? x!.view.stride[i]! : 0)),
      x!.view.offset,
    ),
  ],
});

export const reshape = primitive<{ readonly shape: Shape }>({
  doc: "the same elements in row-major order under another shape",
  kind: "view",
  infer: ([x], { shape }) => {
    if (sizeOf(x!.shape) !== sizeOf(shape))
      throw new OpError(
        "reshape",
        `a shape of ${sizeOf(x!.shape)} elements`,
        showShape(shape),
        `from ${showShape(x!.shape)}`,
      );
    return [like(x!, shape)];
  },
  evaluate: ([x], { shape }, _, allocate) => [fromData(contiguous(x!, allocate), shape, x!.dtype)],
});

export const permute = primitive<{ readonly order: readonly number[] }>({
  doc: "axes in another order",
  kind: "view",
  infer: ([x], { order }) => {
    if (
      !sameShape(
        [...order].sort((a, b) => a - b),
        [...x!.shape.keys()],
      )
    )
      throw new OpError("permute", `each of 0..${x!.shape.length - 1} once`, showShape(order));
    return [
      like(
        x!,
        order.map((i) => x!.shape[i]!),
      ),
    ];
  },
  evaluate: ([x], { order }, [y]) => [
    fromView(
      x!,
      y!.shape,
      order.map((i) => x!.view.stride[i]!),
      x!.view.offset,
    ),
  ],
});

export const flip = primitive<{ readonly axes: readonly number[] }>({
  doc: "the given axes backwards",
  kind: "view",
  infer: ([x]) => [like(x!, x!.shape)],
  evaluate: ([x], { axes }) => {
    const { stride, offset } = x!.view;
    const start = axes.reduce((at, i) => at + Math.max(0, x!.shape[i]! - 1) * stride[i]!, offset);
    return [
      fromView(
        x!,
        x!.shape,
        stride.map((s, i) => (axes.includes(i) ? -s : s)),
        start,
      ),
    ];
  },
});

/** `start`, `start + step`, ... below `end`, along one axis. */
export interface Slice {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}
export const slice = primitive<Slice>({
  doc: "a range of one axis, every `step`-th",
  kind: "view",
  infer: ([x], { axis, start, end, step }) => {
    if (start < 0 || end > x!.shape[axis]! || start > end || step < 1)
      throw new OpError(
        "slice",
        `0 <= start <= end <= ${x!.shape[axis]} and step >= 1`,
        `${start}:${end}:${step}`,
        `axis ${axis} of ${showShape(x!.shape)}`,
      );
    return [like(x!, withAxis(x!.shape, axis, Math.ceil((end - start) / step)))];
  },
  evaluate: ([x], { axis, start, step }, [y]) => {
    const { stride, offset } = x!.view;
    return [
      fromView(
        x!,
        y!.shape,
        stride.map((s, i) => (i === axis ? s * step : s)),
        offset + start * stride[axis]!,
      ),
    ];
  },
});

/** The inverse of a slice: zeros around (and, with `step` > 1, between) the elements of one axis. */
export interface Pad {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
  readonly step: number;
}
export const pad = primitive<Pad>({
  doc: "zeros before, after and (step > 1) between the elements of one axis",
  kind: "kernel",
  infer: ([x], { axis, before, after, step }) => {
    if (before < 0 || after < 0)
      throw new OpError("pad", "no negative padding", `${before}, ${after}`, "slice instead");
    const n = x!.shape[axis]!;
    return [like(x!, withAxis(x!.shape, axis, before + after + (n ? (n - 1) * step + 1 : 0)))];
  },
  evaluate: ([x], { axis, before, step }, [y], allocate) => {
    const out = allocate(y!.dtype, sizeOf(y!.shape)).fill(0);
    const stride = rowMajor(y!.shape);
    stridedCopyInto(
      x!.view,
      out,
      stride.map((s, i) => (i === axis ? s * step : s)),
      before * stride[axis]!,
    );
    return [fromData(out, y!.shape, y!.dtype)];
  },
});

export const split = primitive<{ readonly axis: number; readonly sizes: readonly number[] }>({
  doc: "adjacent pieces of one axis at once, so that the gradient is one concat",
  kind: "view",
  infer: ([x], { axis, sizes }) => {
    if (sizes.reduce((a, b) => a + b, 0) !== x!.shape[axis])
      throw new OpError(
        "split",
        `sizes that add up to ${x!.shape[axis]}`,
        showShape(sizes),
        `axis ${axis} of ${showShape(x!.shape)}`,
      );
    return sizes.map((n) => like(x!, withAxis(x!.shape, axis, n)));
  },
  evaluate: ([x], { axis, sizes }, outputs) => {
    const { stride, offset } = x!.view;
    let at = offset;
    return sizes.map((n, i): Tensor => {
      const piece = fromView(x!, outputs[i]!.shape, stride, at);
      at += n * stride[axis]!;
      return piece;
    });
  },
});

export const concat = primitive<{ readonly axis: number }>({
  doc: "tensors one after the other along an axis",
  kind: "kernel",
  infer: (xs, { axis }) => {
    const first = xs[0];
    if (!first) throw new OpError("concat", "at least one tensor", "none");
    for (const x of xs)
      if (x.dtype !== first.dtype || !sameShape(withAxis(x.shape, axis, 0), withAxis(first.shape, axis, 0)))
        throw new OpError(
          "concat",
          `${showShape(first.shape)} ${first.dtype} but for axis ${axis}`,
          `${showShape(x.shape)} ${x.dtype}`,
        );
    return [
      like(
        first,
        withAxis(
          first.shape,
          axis,
          xs.reduce((n, x) => n + x.shape[axis]!, 0),
        ),
      ),
    ];
  },
  evaluate: (xs, { axis }, [y], allocate) => {
    const out = allocate(y!.dtype, sizeOf(y!.shape));
    const stride = rowMajor(y!.shape);
    let at = 0;
    for (const x of xs as readonly Concrete[]) {
      stridedCopyInto(x.view, out, stride, at);
      at += x.shape[axis]! * stride[axis]!;
    }
    return [fromData(out, y!.shape, y!.dtype)];
  },
});
