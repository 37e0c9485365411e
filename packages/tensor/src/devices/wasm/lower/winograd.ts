// Convolutions 3 x 3 of stride 1 and 2 by Winograd's algorithm, where operands lie as its kernels read and write them.
import type { EquationOf } from "../../../bind.ts";
import type { ConvGeometry } from "../../../primitives/conv/geometry.ts";
import { isStrided } from "../kernels/winograd-matrices.ts";
import { addressOf, mapSteps, type Place } from "../plan/place.ts";
import { winogradWeightBytes } from "../winograd/conv.ts";
import { winogradFilter } from "../winograd/pays.ts";
import type { Builder } from "./builder.ts";
import { outputOf } from "./output.ts";

/** Channels next to each other. */
const isMap = (p: Place): boolean => p.strides[1] === 1;
const kernelSteps = (w: Place) => {
  const [o, c, row, tap] = w.strides as [number, number, number, number];
  return { at: addressOf(w), o: 4 * o, c: 4 * c, row: 4 * row, tap: 4 * tap };
};

/** The convolution or, turned, its input gradient. Whether it could be lowered so. */
export function lowerWinograd(
  b: Builder,
  g: ConvGeometry,
  e: EquationOf<"conv2d"> | EquationOf<"convInput">,
  { source, weight }: { source: Place; weight: Place },
): boolean {
  const turned = e.name === "convInput";
  const filter = winogradFilter(g, turned ? "input" : "forward", b.isStill(weight));
  if (!filter || !isMap(source)) return false;
  const strided = isStrided(filter);
  const { target, bias, silu } = outputOf(e, b);
  const [Ho, Wo] = turned && !strided ? [g.H, g.W] : [g.Ho, g.Wo];
  const [C, O] = turned ? [g.O, g.C] : [g.C, g.O];
  const sizes = { filter, N: g.N, Ho, Wo, C, O, turned };
  const u = b.derived(weight, `winograd ${filter}${turned ? " turned" : ""}`, () => {
    const packed = b.scratch([winogradWeightBytes(sizes) / 4]);
    b.step({ reads: [weight.storage], writes: [packed.storage] }, () => ({
      op: "winogradPack",
      pack: { filter, w: kernelSteps(weight), u: addressOf(packed), C: g.C, O: g.O, turned },
    }));
    return packed;
  });
  const [top, left] = turned ? g.padding.map((p) => (strided ? 0 : 2 - p)) : g.padding;
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
  const filter = winogradFilter(g, "weight", false);
  if (!filter || !isMap(x) || !isMap(ct)) return false;
  b.step({ reads: [x.storage, ct.storage], writes: [dw.storage] }, () => ({
    op: "winogradConvWeight",
    conv: {
      ...{ filter, N: g.N, Ho: g.Ho, Wo: g.Wo, C: g.C, O: g.O },
      x: mapSteps(x, g.padding),
      ct: mapSteps(ct),
      dw: kernelSteps(dw),
    },
  }));
  return true;
}
