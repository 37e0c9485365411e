// Depthwise convolutions 3 x 3 of whole vectors of channels; the input gradient of stride 1 is one with turned taps.
import type { EquationOf } from "../../../bind.ts";
import type { ConvGeometry, Pair } from "../../../primitives/conv/geometry.ts";
import { inputBorder, outputBorder } from "../plan/borders.ts";
import { addressOf, flipPlace, mapSteps, type Place } from "../plan/place.ts";
import type { Builder } from "./builder.ts";

const isDepthwise = (g: ConvGeometry): boolean =>
  g.groups === g.C && g.O === g.C && g.kh === 3 && g.kw === 3 && g.C % 4 === 0 && g.N > 0;
/** Whether there is a kernel for a convolution with groups. */
export const depthwiseFits = (e: EquationOf<"conv2d" | "convInput" | "convWeight">, g: ConvGeometry): boolean =>
  isDepthwise(g) && (e.name !== "convInput" || (g.stride[0] === 1 && g.stride[1] === 1));

/** The walk of windows over a map, from `before` rows and columns ahead of the first pixel. */
function windows(p: Place, g: ConvGeometry, stride: Pair, before: Pair) {
  const { at, image, row, pixel } = mapSteps(p, before);
  return {
    x: { at, image, row: stride[0] * row, pixel: stride[1] * pixel },
    right: g.dilation[1] * pixel,
    down: g.dilation[0] * row,
  };
}
/** [C, 1, 3, 3] as [vectors, 4, 1, 3, 3], over memory [vectors][9][4]. */
const inVectors = (packed: Place, C: number): Place => ({
  ...packed,
  shape: [C / 4, 4, 1, 3, 3],
  strides: [36, 1, 0, 12, 4],
});
const cut = (w: Place): Place => ({
  ...w,
  shape: [w.shape[0]! / 4, 4, 1, 3, 3],
  strides: [4 * w.strides[0]!, ...w.strides],
});

export function lowerDepthwise(e: EquationOf<"conv2d" | "convInput">, g: ConvGeometry, b: Builder): void {
  const turned = e.name === "convInput";
  const source = b.map(e.inputs[0]!, turned ? outputBorder(g) : inputBorder(g));
  const weight = b.place(e.inputs[1]!);
  const w = b.derived(weight, turned ? "depthwise turned" : "depthwise", () => {
    const packed = b.scratch([g.C / 4, 9, 4]);
    b.copy(inVectors(packed, g.C), cut(turned ? flipPlace(weight, [2, 3]) : weight));
    return packed;
  });
  const target = b.result(e.outputs[0]!);
  const [top, left] = g.padding;
  const before: Pair = turned ? [2 * g.dilation[0] - top, 2 * g.dilation[1] - left] : g.padding;
  b.step({ reads: [source.storage, w.storage], writes: [target.storage] }, () => ({
    op: "depthwise",
    ...windows(source, g, g.stride, before),
    w: addressOf(w),
    y: mapSteps(target),
    images: g.N,
    rows: turned ? g.H : g.Ho,
    columns: turned ? g.W : g.Wo,
    vectors: g.C / 4,
  }));
}

export function lowerDepthwiseWeight(e: EquationOf<"convWeight">, g: ConvGeometry, b: Builder): void {
  const source = b.map(e.inputs[0]!, inputBorder(g));
  const ct = b.map(e.inputs[1]!);
  const dw = b.scratch([g.C / 4, 9, 4]);
  b.step({ reads: [source.storage, ct.storage], writes: [dw.storage] }, () => ({
    op: "depthwiseWeight",
    ...windows(source, g, g.stride, g.padding),
    ct: mapSteps(ct),
    dw: addressOf(dw),
    images: g.N,
    rows: g.Ho,
    columns: g.Wo,
    vectors: g.C / 4,
  }));
  b.copy(cut(b.result(e.outputs[0]!)), inVectors(dw, g.C));
}
