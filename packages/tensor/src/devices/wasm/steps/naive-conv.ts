// Convolutions that no tile takes, by the plain loop over all multiply-adds; row-major operands.
import type { ConvGeometry } from "../../../primitives/conv/geometry.ts";
import type { Machine } from "./machine.ts";

export interface NaiveConvStep {
  readonly op: "naiveConv";
  readonly kernel: "conv2d" | "convInput" | "convWeight";
  /** Byte addresses of the three operands of y = conv(x, w), and which of them is the result. */
  readonly x: number;
  readonly w: number;
  readonly y: number;
  readonly result: number;
  readonly floats: number;
  readonly geometry: ConvGeometry;
}

export function runNaiveConv({ kernel, x, w, y, result, floats, geometry: g }: NaiveConvStep, machine: Machine): void {
  machine.floats.fill(0, result / 4, result / 4 + floats);
  const { naiveConv, naiveConvInput, naiveConvWeight } = machine.kernels;
  const run = { conv2d: naiveConv, convInput: naiveConvInput, convWeight: naiveConvWeight }[kernel];
  run({
    ...{ x, w, y, N: g.N, groups: g.groups, C: g.C / g.groups, H: g.H, W: g.W },
    ...{ O: g.O / g.groups, kh: g.kh, kw: g.kw, Ho: g.Ho, Wo: g.Wo },
    ...{ strideH: g.stride[0], strideW: g.stride[1], paddingH: g.padding[0], paddingW: g.padding[1] },
    ...{ dilationH: g.dilation[0], dilationW: g.dilation[1] },
  });
}
