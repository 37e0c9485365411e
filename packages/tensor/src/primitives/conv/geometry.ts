// The sizes of a 2-d convolution: computed once from shapes and parameters, shared by its three primitives.
import type { Problem } from "../problem.ts";

/** [height, width] */
export type Pair = readonly [number, number];

/** Parameters of a convolution, each pair as [height, width]. */
export interface ConvParams {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

/** x is [N, C, H, W], w is [O, C / groups, kh, kw], y is [N, O, Ho, Wo]; pairs are [height, width]. */
export interface ConvGeometry extends ConvParams {
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  readonly O: number;
  readonly kh: number;
  readonly kw: number;
  readonly Ho: number;
  readonly Wo: number;
}

// Ho = floor((H + 2 p - d (k - 1) - 1) / s) + 1   (PyTorch, Conv2d)
const outputSize = (n: number, k: number, s: number, p: number, d: number) =>
  Math.floor((n + 2 * p - d * (k - 1) - 1) / s) + 1;

/** The geometry of `conv2d(x, w)`, or why there is none. */
export function convGeometry(x: readonly number[], w: readonly number[], params: ConvParams): ConvGeometry | Problem {
  const { stride, padding, dilation, groups } = params;
  if (x.length !== 4) return { expected: "an input of 4 dims [N, C, H, W]", got: `[${x.join(", ")}]` };
  if (w.length !== 4) return { expected: "a weight of 4 dims [O, C / groups, kh, kw]", got: `[${w.join(", ")}]` };
  const [N, C, H, W] = x as [number, number, number, number];
  const [O, Cg, kh, kw] = w as [number, number, number, number];
  const whole = (pair: Pair, least: number) => pair.every((v) => Number.isInteger(v) && v >= least);
  if (!whole(stride, 1)) return { expected: "stride of whole numbers >= 1", got: `[${stride.join(", ")}]` };
  if (!whole(padding, 0)) return { expected: "padding of whole numbers >= 0", got: `[${padding.join(", ")}]` };
  if (!whole(dilation, 1)) return { expected: "dilation of whole numbers >= 1", got: `[${dilation.join(", ")}]` };
  if (!Number.isInteger(groups) || groups < 1)
    return { expected: "groups to be a whole number >= 1", got: `${groups}` };
  if (C % groups !== 0 || O % groups !== 0)
    return { expected: "groups to divide input and output channels", got: `groups ${groups}, channels ${C} and ${O}` };
  if (Cg * groups !== C)
    return {
      expected: `a weight of [O, ${C / groups}, kh, kw] for input [${x.join(", ")}]`,
      got: `[${w.join(", ")}]`,
      hint: `${C} channels in ${groups} group${groups === 1 ? "" : "s"}`,
    };
  const Ho = outputSize(H, kh, stride[0], padding[0], dilation[0]);
  const Wo = outputSize(W, kw, stride[1], padding[1], dilation[1]);
  if (kh < 1 || kw < 1 || Ho < 1 || Wo < 1)
    return {
      expected: "a kernel that fits into the padded input",
      got: `kernel ${kh} x ${kw} on input ${H} x ${W}`,
      hint: `padding [${padding.join(", ")}], dilation [${dilation.join(", ")}]`,
    };
  return { N, C, H, W, O, kh, kw, Ho, Wo, stride, padding, dilation, groups };
}

/** [N, O, Ho, Wo]. */
export const convOutputShape = ({ N, O, Ho, Wo }: ConvGeometry): number[] => [N, O, Ho, Wo];

/** Floating-point operations (2 per multiply-add) of any of the three convolutions, padding counted. */
export const convFlops = ({ N, C, O, kh, kw, Ho, Wo, groups }: ConvGeometry): number =>
  2 * N * O * Ho * Wo * (C / groups) * kh * kw;
