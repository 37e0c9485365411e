// The gradient of every primitive: one rule per row of the table, in public ops, so that higher orders come for free.
import {
  add,
  bind,
  cast,
  concat,
  cos,
  cumsum,
  div,
  type Equation,
  equal,
  expand,
  flip,
  gather,
  greater,
  log,
  matmul,
  mul,
  neg,
  type ParamsOf,
  type PrimitiveName,
  permute,
  pow,
  reshape,
  scatterAdd,
  sin,
  slice,
  split,
  sub,
  sum,
  type Tensor,
  transpose,
  where,
} from "@orepa/tensor";

/** What a rule is made from: an equation and the cotangents of its outputs. */
export interface VjpArguments<N extends PrimitiveName> {
  /** Inputs. */
  readonly x: readonly Tensor[];
  /** First output, and its cotangent. */
  readonly y: Tensor;
  readonly ct: Tensor;
  /** All outputs, and their cotangents (zeros where an output is not used). */
  readonly ys: readonly Tensor[];
  readonly cts: readonly Tensor[];
  readonly params: ParamsOf<N>;
}

/**
 * A rule: a list with one function per input, each called only if that input's gradient is wanted (null: an integer or bool
 * input); or one function for the gradients of all inputs at once; or the reason why there is none.
 */
export type Vjp<N extends PrimitiveName> =
  | readonly (((given: VjpArguments<N>) => Tensor) | null)[]
  | ((given: VjpArguments<N>) => readonly Tensor[])
  | { readonly none: string };

/** One rule per primitive; leaving one out does not compile. */
export const vjps = {
  neg: [({ ct }) => neg(ct)],
  exp: [({ ct, y }) => mul(ct, y)],
  log: [({ ct, x: [x] }) => div(ct, x!)], // 1 / x
  sqrt: [({ ct, y }) => div(ct, mul(y, 2))], // 1 / (2 sqrt(x))
  abs: [({ ct, x: [x] }) => mul(ct, sign(x!))], // 0 at 0
  sin: [({ ct, x: [x] }) => mul(ct, cos(x!))],
  cos: [({ ct, x: [x] }) => neg(mul(ct, sin(x!)))],
  atan: [({ ct, x: [x] }) => div(ct, add(mul(x!, x!), 1))], // 1 / (1 + x^2)
  sigmoid: [({ ct, y }) => mul(ct, mul(y, sub(1, y)))], // y (1 - y)
  copy: [({ ct }) => ct],
  cast: [({ ct, x: [x] }) => cast(ct, x!.dtype)],
  detach: { none: "it is there to have none" },

  add: [({ ct }) => ct, ({ ct }) => ct],
  sub: [({ ct }) => ct, ({ ct }) => neg(ct)],
  mul: [({ ct, x: [, b] }) => mul(ct, b!), ({ ct, x: [a] }) => mul(ct, a!)],
  div: [({ ct, x: [, b] }) => div(ct, b!), ({ ct, x: [, b], y }) => neg(mul(div(ct, b!), y))], // 1 / b, -a / b^2
  pow: [
    // b a^(b-1), and 0 for b = 0 also at a = 0
    ({ ct, x: [a, b] }) => mul(ct, mul(b!, pow(where(equal(b!, 0), 1, a!), sub(b!, 1)))),
    // a^b log(a), and 0 at a = 0
    ({ ct, x: [a], y }) => mul(ct, mul(y, log(where(equal(a!, 0), 1, a!)))),
  ],
  maximum: [({ ct, x: [a, b] }) => shareOfLarger(ct, a!, b!), ({ ct, x: [a, b] }) => shareOfLarger(ct, b!, a!)],
  minimum: [({ ct, x: [a, b] }) => shareOfLarger(ct, b!, a!), ({ ct, x: [a, b] }) => shareOfLarger(ct, a!, b!)],
  greater: { none: "piecewise constant" },
  equal: { none: "constant but for single points" },
  where: [null, ({ ct, x: [c] }) => where(c!, ct, 0), ({ ct, x: [c] }) => where(c!, 0, ct)],

  expand: [({ ct, x: [x] }) => sumOverRepeats(ct, x!)],
  reshape: [({ ct, x: [x] }) => reshape(ct, x!.shape)],
  permute: [
    ({ ct, params: { order } }) =>
      permute(
        ct,
        order.map((_, i) => order.indexOf(i)),
      ),
  ], // the inverse order
  flip: [({ ct, params: { axes } }) => flip(ct, axes)],
  slice: [
    ({ ct, x: [x], params: { axis, start, step } }) => {
      const after = x!.shape[axis]! - start - extent(ct.shape[axis]!, step);
      return bind("pad", [ct], { axis, before: start, after, step })[0]!;
    },
  ],
  pad: [
    ({ ct, x: [x], params: { axis, before, step } }) =>
      slice(ct, axis, before, before + extent(x!.shape[axis]!, step), step),
  ],
  split: [({ cts, params: { axis } }) => concat(cts, axis)],
  concat: ({ ct, x, params: { axis } }) =>
    split(
      ct,
      x.map((t) => t.shape[axis]!),
      axis,
    ),

  sum: [({ ct, x: [x] }) => expand(ct, x!.shape)],
  amax: [(given) => sharedByTies(given)],
  amin: [(given) => sharedByTies(given)],
  // d var / dx = 2 (x - mean) / n, d mean / dx = 1 / n
  varMean: [
    ({ cts: [ctVariance, ctMean], x: [x], ys: [, mean] }) => {
      const n = x!.size / mean!.size;
      return add(mul(sub(x!, mean!), mul(ctVariance!, 2 / n)), mul(ctMean!, 1 / n));
    },
  ],
  cumsum: [({ ct, params: { axis, reverse } }) => cumsum(ct, axis, { reverse: !reverse })],

  matmul: [({ ct, x: [, b] }) => matmul(ct, transpose(b!)), ({ ct, x: [a] }) => matmul(transpose(a!), ct)],
  // The three convolutions are the three partial derivatives of sum(y conv2d(x, w)): each has the other two as gradient.
  conv2d: [
    ({ ct, x: [x, w], params }) => bind("convInput", [ct, w!], { ...convOf(params), shape: x!.shape })[0]!,
    ({ ct, x: [x, w], params }) => bind("convWeight", [x!, ct], { ...convOf(params), shape: w!.shape })[0]!,
  ],
  convInput: [
    ({ ct, x: [, w], params }) => bind("conv2d", [ct, w!], convOf(params))[0]!,
    ({ ct, x: [y, w], params }) => bind("convWeight", [ct, y!], { ...convOf(params), shape: w!.shape })[0]!,
  ],
  convWeight: [
    ({ ct, x: [x, y], params }) => bind("convInput", [y!, ct], { ...convOf(params), shape: x!.shape })[0]!,
    ({ ct, x: [x], params }) => bind("conv2d", [x!, ct], convOf(params))[0]!,
  ],
  maxPool: [
    ({ ct, x: [x], ys: [, index], params }) => bind("maxUnpool", [ct, index!], { ...params, shape: x!.shape })[0]!,
  ],
  maxUnpool: [
    ({ ct, x: [, index], params: { size, stride, padding } }) =>
      bind("maxGather", [ct, index!], { size, stride, padding })[0]!,
    null,
  ],
  maxGather: [
    ({ ct, x: [x, index], params }) => bind("maxUnpool", [ct, index!], { ...params, shape: x!.shape })[0]!,
    null,
  ],
  upsample: [({ ct, params }) => bind("sumPool", [ct], params)[0]!],
  sumPool: [({ ct, params }) => bind("upsample", [ct], params)[0]!],

  gather: [({ ct, x: [x, index], params: { axis } }) => scatterAdd(ct, axis, index!, x!.shape[axis]!), null],
  scatterAdd: [({ ct, x: [, index], params: { axis } }) => gather(ct, axis, index!), null],
  argsort: { none: "whole numbers; sort and topk get their gradient from gather" },
  hostCall: { none: "the function is not known" },
} as const satisfies { readonly [N in PrimitiveName]: Vjp<N> };

/** Whether a primitive has a rule. */
export const isDifferentiable = (name: PrimitiveName): boolean => !("none" in vjps[name]);

/** The gradients of an equation's inputs, null where not needed or none; `cotangents` has one per output. */
export function applyVjp(
  { name, inputs, outputs, params }: Equation,
  cotangents: readonly Tensor[],
  needs: readonly boolean[],
): readonly (Tensor | null)[] {
  // The table gives each name the rule for its own params, which the union of all names cannot say.
  const rule: Vjp<PrimitiveName> = vjps[name] as unknown as Vjp<PrimitiveName>;
  const given = { x: inputs, y: outputs[0]!, ys: outputs, ct: cotangents[0]!, cts: cotangents, params };
  if (typeof rule === "function") return rule(given);
  if ("none" in rule) return inputs.map(() => null);
  return rule.map((one, i) => (one && needs[i] ? one(given) : null));
}

const sign = (x: Tensor): Tensor => sub(cast(greater(x, 0), x.dtype), cast(greater(0, x), x.dtype));

/** ct where a > b, half of it where they are equal. */
const shareOfLarger = (ct: Tensor, a: Tensor, b: Tensor): Tensor =>
  where(equal(a, b), mul(ct, 0.5), where(greater(a, b), ct, 0));

/** Axes of size 1 count as repeated even if they were not, so that a batch of one gives the same sums as any other. */
function sumOverRepeats(ct: Tensor, { shape }: Tensor): Tensor {
  const axes = [...shape.keys()].filter((i) => shape[i] === 1);
  return axes.length ? sum(ct, axes, { keepdim: true }) : ct;
}

/** ct shared equally by the elements that are the extremum. */
function sharedByTies({ ct, x: [x], y, params: { axes } }: VjpArguments<"amax"> | VjpArguments<"amin">): Tensor {
  const hit = cast(equal(x!, y), ct.dtype);
  return mul(hit, div(ct, sum(hit, axes, { keepdim: true })));
}

/** Cells from the first to the last of n elements, `step` apart. */
const extent = (n: number, step: number): number => (n === 0 ? 0 : (n - 1) * step + 1);

type Conv = ParamsOf<"conv2d">;
/** The parameters that the three convolutions share. */
const convOf = ({ stride, padding, dilation, groups }: Conv): Conv => ({ stride, padding, dilation, groups });
