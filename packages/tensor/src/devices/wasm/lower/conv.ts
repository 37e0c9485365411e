// The three convolutions: Winograd's or depthwise kernels where they fit, else sums over windows by tiles, group by group.
import type { EquationOf } from "../../../bind.ts";
import type { ConvGeometry } from "../../../primitives/conv/geometry.ts";
import { positionsOf, windowOffsets } from "../conv/plan.ts";
import { TILE_COLUMNS, TILE_ROWS } from "../kernels/multiply-adds.ts";
import { geometryOf, inputBorder, outputBorder } from "../plan/borders.ts";
import { addressOf, mapSteps, type Place, permutePlace, reshapePlace, slicePlace } from "../plan/place.ts";
import { type Axis, forwardWindow, phaseWindows } from "../windows.ts";
import type { Builder } from "./builder.ts";
import { depthwiseFits, lowerDepthwise, lowerDepthwiseWeight } from "./depthwise.ts";
import { type Output, outputOf } from "./output.ts";
import { lowerWinograd, lowerWinogradWeight } from "./winograd.ts";

type Window = readonly [Axis, Axis];

export function lowerConv(e: EquationOf<"conv2d">, b: Builder): void {
  const g = geometryOf(e);
  if (depthwiseFits(e, g)) {
    lowerDepthwise(e, g, b);
    return;
  }
  const [source, weight] = [b.map(e.inputs[0]!, inputBorder(g)), b.place(e.inputs[1]!)];
  if (lowerWinograd(b, g, e, { source, weight })) return;
  const output = outputOf(e, b);
  eachGroup(g, (x, y, at) =>
    windowSum(
      b,
      x(source),
      at(weight),
      { ...output, target: y(output.target), bias: output.bias && y(output.bias) },
      forwardWindow(g),
    ),
  );
}

/** One window per phase of the stride, with the kernel transposed. Inputs that no window reaches are zero. */
export function lowerConvInput(e: EquationOf<"convInput">, b: Builder): void {
  const g = geometryOf(e);
  if (depthwiseFits(e, g)) {
    lowerDepthwise(e, g, b);
    return;
  }
  const [source, weight] = [b.map(e.inputs[0]!, outputBorder(g)), b.place(e.inputs[1]!)];
  if (lowerWinograd(b, g, e, { source, weight })) return;
  const windows = phaseWindows(g);
  const reached = windows.reduce((n, [rows, columns]) => n + rows.places.length * columns.places.length, 0);
  const target = b.result(e.outputs[0]!);
  if (reached < g.H * g.W) b.fill(target, 0);
  const plain = { bias: undefined, silu: false };
  eachGroup(g, (x, y, at) => {
    const turned = permutePlace(at(weight), [1, 0, 2, 3]);
    for (const window of windows) windowSum(b, y(source), turned, { ...plain, target: x(target) }, window);
  });
}

/** Calls `lower` once per group, with the cuts of x, y and of whatever has output channels first. */
function eachGroup(g: ConvGeometry, lower: (x: Cut, y: Cut, weight: Cut) => void): void {
  const [C, O] = [g.C / g.groups, g.O / g.groups];
  for (let i = 0; i < g.groups; i++)
    lower(
      (p) => slicePlace(p, 1, i * C, (i + 1) * C),
      (p) => slicePlace(p, 1, i * O, (i + 1) * O),
      (p) => slicePlace(p, 0, i * O, (i + 1) * O),
    );
}
type Cut = (p: Place) => Place;

/** The table of a window's floats in a map. */
function offsetsOf(b: Builder, window: Window, { shape, strides }: Place): { offsets: number; depth: number } {
  const [rows, columns] = window;
  const [row, pixel] = [4 * strides[2]!, 4 * strides[3]!];
  const key = [rows.taps.length, rows.step, columns.taps.length, columns.step, shape[1], row, pixel].join();
  const offsets = b.table(key, () => windowOffsets(window, shape[1]!, { at: 0, image: 0, row, pixel }));
  return { offsets, depth: rows.taps.length * columns.taps.length * shape[1]! };
}

/** target[to] = the sum over the window at `from` of source * weight; weight is [target channel, source channel, u, v]. */
function windowSum(b: Builder, source: Place, weight: Place, { target, bias, silu }: Output, window: Window): void {
  if (target.shape.includes(0)) return;
  const panels = packWeights(b, weight, bias, window);
  const { offsets, depth } = offsetsOf(b, window, source);
  b.step({ reads: [source.storage, panels.storage], writes: [target.storage] }, () => ({
    op: "dense",
    conv: {
      positions: positionsOf(source.shape[0]!, window, mapSteps(source), mapSteps(target)),
      ...{ offsets, depth, weights: addressOf(panels), channels: target.shape[1]!, silu },
    },
  }));
}

/** [panels, 1 + depth, 8] of a weight [target, source, u, v] and the taps of a window; the first row is the bias. */
function packWeights(b: Builder, weight: Place, bias: Place | undefined, [rows, columns]: Window): Place {
  const [O, C] = weight.shape as [number, number, number, number];
  const [U, V] = [rows.taps.length, columns.taps.length];
  const taken = tapsPlace(tapsPlace(weight, 2, rows.taps), 3, columns.taps);
  return b.derived(taken, bias ? `panels, bias at ${addressOf(bias)}` : "panels", () => {
    const count = Math.ceil(O / TILE_COLUMNS);
    const panels = b.scratch([count, 1 + U * V * C, TILE_COLUMNS]);
    const head = slicePlace(panels, 1, 0, 1);
    if (bias)
      eachPanel(
        permutePlace(head, [0, 2, 1]),
        { ...bias, shape: [O, 1], strides: [bias.strides[1]!, 0] },
        b.copy.bind(b),
      );
    else b.fill(head, 0);
    const inside: Place = {
      ...panels,
      shape: [count, TILE_COLUMNS, C, U, V],
      strides: [panels.strides[0]!, 1, TILE_COLUMNS, V * C * TILE_COLUMNS, C * TILE_COLUMNS],
      offset: panels.offset + TILE_COLUMNS,
    };
    eachPanel(inside, taken, b.copy.bind(b));
    return panels;
  });
}

/** Whole panels of 8 at once, then what is left over. */
function eachPanel(panels: Place, columns: Place, f: (panels: Place, columns: Place) => void): void {
  const [O, ...rest] = columns.shape as [number, ...number[]];
  const whole = Math.floor(O / TILE_COLUMNS);
  const cut = (place: Place, n: number) => reshapePlace(place, [n, place.shape[0]! / n, ...rest])!; // cuts an axis
  if (whole > 0) f(slicePlace(panels, 0, 0, whole), cut(slicePlace(columns, 0, 0, whole * TILE_COLUMNS), whole));
  const left = O - whole * TILE_COLUMNS;
  if (left > 0)
    f(
      slicePlace(slicePlace(panels, 0, whole, whole + 1), 1, 0, left),
      cut(slicePlace(columns, 0, whole * TILE_COLUMNS, O), 1),
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

export function lowerConvWeight(e: EquationOf<"convWeight">, b: Builder): void {
  const g = geometryOf(e);
  if (depthwiseFits(e, g)) {
    lowerDepthwiseWeight(e, g, b);
    return;
  }
  const [x, ct] = [b.map(e.inputs[0]!, inputBorder(g)), b.map(e.inputs[1]!)];
  const result = b.result(e.outputs[0]!);
  if (lowerWinogradWeight(b, g, { x, ct, dw: result })) return;
  if (g.N === 0) b.fill(result, 0);
  else eachGroup(g, (ofX, ofY, ofWeight) => weightSum(b, ofX(x), ofY(ct), ofWeight(result), forwardWindow(g)));
}

/** dw = the sum over all windows of source * cotangent. */
function weightSum(b: Builder, source: Place, cotangent: Place, dw: Place, window: Window): void {
  const [O, C, kh, kw] = dw.shape as [number, number, number, number];
  const { offsets, depth } = offsetsOf(b, window, source);
  const count = Math.ceil(O / TILE_COLUMNS);
  const panels = b.scratch([count, Math.ceil(depth / TILE_ROWS) * TILE_ROWS, TILE_COLUMNS]);
  b.step({ reads: [source.storage, cotangent.storage], writes: [panels.storage] }, () => ({
    op: "denseWeight",
    conv: {
      positions: positionsOf(source.shape[0]!, window, mapSteps(source), mapSteps(cotangent)),
      ...{ offsets, depth, channels: O, panels: addressOf(panels) },
    },
  }));
  const inside: Place = {
    ...panels,
    shape: [count, TILE_COLUMNS, C, kh, kw],
    strides: [panels.strides[0]!, 1, TILE_COLUMNS, kw * C * TILE_COLUMNS, C * TILE_COLUMNS],
  };
  eachPanel(inside, dw, (from, to) => b.copy(to, from));
}
