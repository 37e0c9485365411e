// Convolutions 3 x 3 of stride 1 by Winograd's algorithm, where operands lie as its kernels read and write them.
import type { EquationOf } from "../../../bind.ts";
import type { ConvGeometry } from "../../../primitives/conv/geometry.ts";
import { addressOf, mapSteps, type Place } from "../plan/place.ts";
import { winogradWeightBytes } from "../winograd/conv.ts";
import { winogradPays } from "../winograd/pays.ts";
import type { Builder } from "./builder.ts";
import { outputOf } from "./output.ts";

/** Channels next to each other. */
const isMap = (p: Place): boolean => p.strides[1] === 1;
/** Nine taps evenly apart. */
const isEven = (w: Place): boolean => w.strides[2] === 3 * w.strides[3]!;
const kernelSteps = (w: Place) => {
  const [o, c, , tap] = w.strides as [number, number, number, number];
  return { at: addressOf(w), o: 4 * o, c: 4 * c, tap: 4 * tap };
};

/** The convolution or, turned, its input gradient. Whether it could be lowered so. */
export function lowerWinograd(
  b: Builder,
  g: ConvGeometry,
  e: EquationOf<"conv2d"> | EquationOf<"convInput">,
  { source, weight }: { source: Place; weight: Place },
): boolean {
  const turned = e.name === "convInput";
  if (!winogradPays(g, turned ? "input" : "forward")) return false;
  if (!isMap(source) || !isEven(weight)) return false;
  const { target, bias, silu } = outputOf(e, b);
  const u = b.derived(weight, turned ? "winograd turned" : "winograd", () => {
    const packed = b.scratch([winogradWeightBytes(turned ? { C: g.O, O: g.C } : g) / 4]);
    b.step({ reads: [weight.storage], writes: [packed.storage] }, () => ({
      op: "winogradPack",
      pack: { w: kernelSteps(weight), u: addressOf(packed), C: g.C, O: g.O, turned },
    }));
    return packed;
  });
  const [top, left] = turned ? g.padding.map((p) => 2 - p) : g.padding;
  const sizes = turned ? { N: g.N, Ho: g.H, Wo: g.W, C: g.O, O: g.C } : { N: g.N, Ho: g.Ho, Wo: g.Wo, C: g.C, O: g.O };
  const reads = [source.storage, u.storage, ...(bias ? [bias.storage] : [])];
  b.step({ reads, writes: [target.storage] }, () => ({
    op: "winogradConv",
    conv: {
      ...sizes,
      x: mapSteps(source, [top!, left!]),
      y: mapSteps(target),
      u: addressOf(u),
      bias: bias ? addressOf(bias) : 0,
      silu,
    },
  }));
  return true;
}

/** The weight gradient. Whether it could be lowered so. */
export function lowerWinogradWeight(
  b: Builder,
  g: ConvGeometry,
  { x, ct, dw }: { x: Place; ct: Place; dw: Place },
): boolean {
  if (!winogradPays(g, "weight") || !isMap(x) || !isMap(ct) || !isEven(dw)) return false;
  b.step({ reads: [x.storage, ct.storage], writes: [dw.storage] }, () => ({
    op: "winogradConvWeight",
    conv: {
      ...{ N: g.N, Ho: g.Ho, Wo: g.Wo, C: g.C, O: g.O },
      x: mapSteps(x, g.padding),
      ct: mapSteps(ct),
      dw: kernelSteps(dw),
    },
  }));
  return true;
}
