// The three convolutions: maps are read in place, weights are packed into panels of 8 columns first.
import type { EquationOf } from "../../../bind.ts";
import type { ConvGeometry } from "../../../primitives/conv/geometry.ts";
import type { Tensor } from "../../../tensor.ts";
import { TILE_CHANNELS, TILE_PIXELS } from "../kernels/conv.ts";
import { TILE_RUN } from "../kernels/conv-weight.ts";
import { geometryOf, inputBorder, outputBorder } from "../plan/borders.ts";
import { addressOf, type Place, permutePlace, reshapePlace, slicePlace } from "../plan/place.ts";
import { type Axis, forwardWindow, phaseWindows } from "../windows.ts";
import type { Builder } from "./builder.ts";
import { depthwiseFits, lowerDepthwise, lowerDepthwiseWeight } from "./depthwise.ts";
import { lowerWinograd, lowerWinogradWeight } from "./winograd.ts";

type Window = readonly [Axis, Axis];

/** Source bytes that a block of pixels may touch: they stay in the second-level cache while all panels pass. */
const BLOCK_BYTES = 192 * 1024;
const LEAST_BLOCK = 48;
const LARGEST_BLOCK = 1024;
/** Cache for the rows of x and ct that all tiles of the weight gradient read. */
const WEIGHT_BLOCK_BYTES = 256 * 1024;

export const lowerConv = (e: EquationOf<"conv2d">, b: Builder): void => {
  const g = geometryOf(e);
  const [x, w] = e.inputs as [Tensor, Tensor];
  if (g.groups > 1) {
    if (depthwiseFits(e, g)) lowerDepthwise(e, g, b);
    else lowerGrouped(e, g, b);
    return;
  }
  const [source, weight] = [b.map(x, inputBorder(g)), b.place(w)];
  if (lowerWinograd(b, g, e, { source, weight })) return;
  intoMap(b, b.result(e.outputs[0]!), (target) => windowSum(b, source, weight, target, forwardWindow(g)));
};

/** One window per phase of the stride, with the kernel transposed. Inputs that no window reaches are zero. */
export const lowerConvInput = (e: EquationOf<"convInput">, b: Builder): void => {
  const g = geometryOf(e);
  const [ct, w] = e.inputs as [Tensor, Tensor];
  if (g.groups > 1) {
    if (depthwiseFits(e, g)) lowerDepthwise(e, g, b);
    else lowerGrouped(e, g, b);
    return;
  }
  const [source, weight] = [b.map(ct, outputBorder(g)), b.place(w)];
  if (lowerWinograd(b, g, e, { source, weight })) return;
  const windows = phaseWindows(g);
  const reached = windows.reduce((n, [rows, columns]) => n + rows.places.length * columns.places.length, 0);
  intoMap(b, b.result(e.outputs[0]!), (target) => {
    if (reached < g.H * g.W) b.fill(target, 0);
    for (const window of windows) windowSum(b, source, permutePlace(weight, [1, 0, 2, 3]), target, window);
  });
};

/** Gives a map of whole panels of channels to be written: the result itself, or one that is copied to it. */
function intoMap(b: Builder, result: Place, write: (target: Place) => void): void {
  const [N, O, ...sides] = result.shape as [number, number, number, number];
  if (O % TILE_CHANNELS === 0 && result.strides[1] === 1) {
    write(result);
    return;
  }
  const target = b.newMap([N, Math.ceil(O / TILE_CHANNELS) * TILE_CHANNELS, ...sides]);
  write(target);
  b.copy(result, slicePlace(target, 1, 0, O));
}

/** target[to] = the sum over the window at `from` of source * weight; weight is [target channel, source channel, u, v]. */
function windowSum(b: Builder, source: Place, weight: Place, target: Place, window: Window): void {
  const [rows, columns] = window;
  const C = source.shape[1]!;
  const [image, , row, pixel] = source.strides as [number, number, number, number];
  const joined = columns.taps.length === 1 || (columns.step === 1 && pixel === C);
  const [taps, run] = joined ? [1, columns.taps.length * C] : [columns.taps.length, C];
  const tapGap = joined ? 0 : 4 * (columns.step * pixel - C);
  const rowGap = 4 * rows.step * row - taps * (4 * run + tapGap);
  const panels = packWeights(b, weight, window);
  const pixels = rows.places.length * columns.places.length;
  const inOffsets = offsetTable(b, rows, columns, "from", row, pixel);
  const outOffsets = offsetTable(b, rows, columns, "to", target.strides[2]!, target.strides[3]!);
  const bytesPerPixel = (4 * image) / Math.max(1, pixels);
  const most = Math.max(LEAST_BLOCK, Math.min(LARGEST_BLOCK, Math.round(BLOCK_BYTES / bytesPerPixel)));
  const block = Math.ceil(Math.ceil(pixels / Math.ceil(pixels / most)) / TILE_PIXELS) * TILE_PIXELS; // of equal size
  b.step({ reads: [source.storage, panels.storage], writes: [target.storage] }, () => ({
    op: "conv",
    x: { at: addressOf(source), image: 4 * image },
    y: { at: addressOf(target), image: 4 * target.strides[0]! },
    weights: addressOf(panels),
    panel: 4 * panels.strides[0]!,
    imageWeights: 0,
    panels: panels.shape[0]!,
    images: target.shape[0]!,
    pixels,
    inOffsets,
    outOffsets,
    rows: rows.taps.length,
    taps,
    run,
    tapGap,
    rowGap,
    block,
  }));
}

/** Byte offsets of a window's positions in a map, row by row; at least a tile of them. */
function offsetTable(b: Builder, rows: Axis, columns: Axis, end: "from" | "to", row: number, pixel: number): number {
  const describe = ({ places }: Axis) => [places[0]![end], places.at(-1)![end], places.length];
  const key = [...describe(rows), ...describe(columns), row, pixel].join();
  return b.table(key, () => {
    const offsets = rows.places.flatMap((i) => columns.places.map((j) => 4 * (i[end] * row + j[end] * pixel)));
    while (offsets.length < TILE_PIXELS) offsets.push(offsets.at(-1)!);
    return offsets;
  });
}

/** [panels, 1 + depth, 8] of a weight [target, source, u, v] and the taps of a window; the first row, a bias, is 0. */
function packWeights(b: Builder, weight: Place, [rows, columns]: Window): Place {
  const [O, C] = weight.shape as [number, number, number, number];
  const [U, V] = [rows.taps.length, columns.taps.length];
  const taken = tapsPlace(tapsPlace(weight, 2, rows.taps), 3, columns.taps);
  return b.derived(taken, "panels", () => {
    const count = Math.ceil(O / TILE_CHANNELS);
    const panels = b.scratch([count, 1 + U * V * C, TILE_CHANNELS]);
    b.fill(slicePlace(panels, 1, 0, 1), 0);
    const [panel] = panels.strides as [number, number, number];
    const inside: Place = {
      ...panels,
      shape: [count, TILE_CHANNELS, C, U, V],
      strides: [panel, 1, TILE_CHANNELS, V * C * TILE_CHANNELS, C * TILE_CHANNELS],
      offset: panels.offset + TILE_CHANNELS,
    };
    eachPanel(inside, taken, (target, source) => b.copy(target, source));
    return panels;
  });
}

/** Whole panels of 8 at once, then what is left over. */
function eachPanel(panels: Place, columns: Place, f: (panels: Place, columns: Place) => void): void {
  const [O, ...rest] = columns.shape as [number, ...number[]];
  const whole = Math.floor(O / TILE_CHANNELS);
  const cut = (place: Place, n: number) => reshapePlace(place, [n, place.shape[0]! / n, ...rest])!; // cuts an axis
  if (whole > 0) f(slicePlace(panels, 0, 0, whole), cut(slicePlace(columns, 0, 0, whole * TILE_CHANNELS), whole));
  const left = O - whole * TILE_CHANNELS;
  if (left > 0)
    f(
      slicePlace(slicePlace(panels, 0, whole, whole + 1), 1, 0, left),
      cut(slicePlace(columns, 0, whole * TILE_CHANNELS, O), 1),
    );
}

/** The taps of one axis of a kernel, in their order; they lie evenly. */
function tapsPlace(p: Place, axis: number, taps: readonly number[]): Place {
  const [first, second] = taps as [number, number | undefined];
  const stride = p.strides[axis]!;
  return {
    ...p,
    shape: p.shape.map((n, i) => (i === axis ? taps.length : n)),
    strides: p.strides.map((s, i) => (i === axis ? stride * (second === undefined ? 1 : second - first) : s)),
    offset: p.offset + first * stride,
  };
}

export const lowerConvWeight = (e: EquationOf<"convWeight">, b: Builder): void => {
  const g = geometryOf(e);
  const [x, ct] = e.inputs as [Tensor, Tensor];
  if (g.groups > 1) {
    if (depthwiseFits(e, g)) lowerDepthwiseWeight(e, g, b);
    else lowerGrouped(e, g, b);
    return;
  }
  const source = b.map(x, inputBorder(g));
  const cotangent = b.map(ct);
  const result = b.result(e.outputs[0]!);
  if (lowerWinogradWeight(b, g, { x: source, ct: cotangent, dw: result })) return;
  const { C, O, kh, kw } = g;
  const [image, , row, pixel] = source.strides as [number, number, number, number];
  const joined = kw > 1 && g.dilation[1] === 1 && pixel === C;
  const [taps, run] = joined ? [1, kw * C] : [kw, C];
  const tiles = Math.ceil(run / TILE_RUN);
  const count = Math.ceil(O / TILE_CHANNELS);
  const depth = tiles * TILE_RUN;
  const dw = b.scratch([count, kh * taps * depth, TILE_CHANNELS]);
  const [ctImage, , ctRow, ctPixel] = cotangent.strides as [number, number, number, number];
  const xRow = g.stride[0] * row;
  const block = Math.max(1, Math.floor(WEIGHT_BLOCK_BYTES / (4 * (xRow + ctRow))));
  b.step({ reads: [source.storage, cotangent.storage], writes: [dw.storage] }, () => ({
    op: "convWeight",
    x: {
      at: addressOf(source) - 4 * (g.padding[0] * row + g.padding[1] * pixel),
      image: 4 * image,
      row: 4 * xRow,
      pixel: 4 * g.stride[1] * pixel,
    },
    ct: { at: addressOf(cotangent), image: 4 * ctImage, row: 4 * ctRow, pixel: 4 * ctPixel },
    dw: addressOf(dw),
    panels: count,
    images: g.N,
    rows: g.Ho,
    columns: g.Wo,
    rowTaps: kh,
    rowStep: 4 * g.dilation[0] * row,
    taps,
    tapStep: 4 * g.dilation[1] * pixel,
    tiles,
    block,
  }));
  const inside: Place = {
    ...dw,
    shape: [count, TILE_CHANNELS, C, kh, kw],
    strides: [dw.strides[0]!, 1, TILE_CHANNELS, taps * depth * TILE_CHANNELS, (joined ? C : depth) * TILE_CHANNELS],
  };
  eachPanel(inside, result, (source, target) => b.copy(target, source));
};

/** Groups, by the plain loop over multiply-adds. */
function lowerGrouped(e: EquationOf<"conv2d" | "convInput" | "convWeight">, g: ConvGeometry, b: Builder): void {
  const [first, second] = e.inputs.map((t) => b.rowMajor(b.place(t))) as [Place, Place];
  const result = b.result(e.outputs[0]!);
  const out = b.scratch(result.shape);
  const [x, w, y] = { conv2d: [first, second, out], convInput: [out, second, first], convWeight: [first, out, second] }[
    e.name
  ] as [Place, Place, Place];
  b.step({ reads: [first.storage, second.storage], writes: [out.storage] }, () => ({
    op: "naiveConv",
    kernel: e.name,
    x: addressOf(x),
    w: addressOf(w),
    y: addressOf(y),
    geometry: g,
    result: addressOf(out),
    floats: out.shape.reduce((n, m) => n * m, 1),
    serial: true,
  }));
  b.copy(result, out);
}
