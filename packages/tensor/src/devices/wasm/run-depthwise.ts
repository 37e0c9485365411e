// Depthwise 3 x 3 convolutions prepared for a geometry. The input gradient of a stride of 1 is the same kernel with the
// taps turned round; of larger strides it is left to the tap loop.
import type { ConvGeometry } from "../../primitives/conv/geometry.ts";
import type { Launch } from "./launch.ts";
import { type FeatureMap, featureMap, LANES, pixelIndex, readMap, writeMap } from "./layout.ts";
import type { Runtime } from "./runtime.ts";
import { type Axis, borderOf, forwardWindow, phaseWindows } from "./windows.ts";

const TAPS = 9;

/** Source bytes whose rows stay in the cache while all channels pass over them. */
const BLOCK_BYTES = 64 * 1024;

/** Byte steps of the windows of one axis: from the first window on, from window to window, from tap to tap. */
const walk = ({ places, step }: Axis, unit: number) => ({
  first: places[0]!.from,
  next: (places.length > 1 ? places[1]!.from - places[0]!.from : 1) * unit,
  tap: step * unit,
});
/** The walk of a window over x, and the calls it takes: four channels of some rows of one image each. */
function plan(x: FeatureMap, window: readonly [Axis, Axis]) {
  const [rows, columns] = [walk(window[0], x.row), walk(window[1], x.pixel)];
  const all = window[0].places.length;
  const block = Math.max(1, Math.floor(BLOCK_BYTES / rows.next));
  const calls: { n: number; row: number; rows: number; vector: number; x: number }[] = [];
  for (let n = 0; n < x.N; n++)
    for (let row = 0; row < all; row += block)
      for (let vector = 0; vector < x.C / LANES; vector++) {
        const at = 4 * pixelIndex(x, n, rows.first, columns.first) + row * rows.next + 4 * LANES * vector;
        calls.push({ n, row, rows: Math.min(block, all - row), vector, x: at });
      }
  return { calls, xRow: rows.next, xPixel: columns.next, right: columns.tap, down: rows.tap };
}
const borders = ([rows, columns]: readonly [Axis, Axis], H: number, W: number) =>
  [borderOf([rows], H), borderOf([columns], W)] as const;

/** y = conv(x, w), or x = its adjoint for a stride of 1: write(source, w), read(target). */
export function runDepthwise(runtime: Runtime, g: ConvGeometry, { adjoint = false } = {}): Launch {
  const { kernels, floats } = runtime;
  const { N, C, H, W, Ho, Wo } = g;
  const window = adjoint ? phaseWindows(g)[0]! : forwardWindow(g);
  const [from, to] = adjoint
    ? [
        { H: Ho, W: Wo },
        { H, W },
      ]
    : [
        { H, W },
        { H: Ho, W: Wo },
      ];
  const x = featureMap(runtime, { N, C, ...from, border: borders(window, from.H, from.W), lanes: LANES });
  const y = featureMap(runtime, { N, C, ...to, lanes: LANES });
  const vectors = Math.ceil(C / LANES);
  const weights = runtime.allocate(vectors * TAPS * LANES);
  const { calls, xRow, xPixel, right, down } = plan(x, window);
  return {
    path: "depthwise",
    write: (values, w) => {
      writeMap(runtime, x, values);
      for (let c = 0; c < C; c++)
        for (const [i, u] of window[0].taps.entries())
          for (const [j, v] of window[1].taps.entries())
            floats[weights / 4 + (Math.floor(c / LANES) * TAPS + 3 * i + j) * LANES + (c % LANES)] =
              w[c * TAPS + 3 * u + v]!;
    },
    run: () => {
      for (const call of calls)
        kernels.depthwise({
          x: call.x,
          w: weights + 4 * LANES * TAPS * call.vector,
          y: y.at + call.n * y.image + call.row * y.row + 4 * LANES * call.vector,
          rows: call.rows,
          pixels: to.W,
          xRow,
          xPixel,
          yRow: y.row,
          yPixel: y.pixel,
          right,
          down,
        });
    },
    read: (result) => readMap(runtime, y, result),
  };
}

/** w = the adjoint of the convolution in w: write(x, ct), read(w). */
export function runDepthwiseWeight(runtime: Runtime, g: ConvGeometry): Launch {
  const { kernels, floats } = runtime;
  const { N, C, H, W, Ho, Wo } = g;
  const window = forwardWindow(g);
  const x = featureMap(runtime, { N, C, H, W, border: borders(window, H, W), lanes: LANES });
  const ct = featureMap(runtime, { N, C, H: Ho, W: Wo, lanes: LANES });
  const vectors = Math.ceil(C / LANES);
  const dw = runtime.allocate(vectors * TAPS * LANES);
  const { calls, xRow, xPixel, right, down } = plan(x, window);
  return {
    path: "depthwise",
    write: (values, cotangent) => {
      writeMap(runtime, x, values);
      writeMap(runtime, ct, cotangent);
    },
    run: () => {
      floats.fill(0, dw / 4, dw / 4 + vectors * TAPS * LANES);
      for (const call of calls)
        kernels.depthwiseWeight({
          x: call.x,
          ct: ct.at + call.n * ct.image + call.row * ct.row + 4 * LANES * call.vector,
          dw: dw + 4 * LANES * TAPS * call.vector,
          rows: call.rows,
          pixels: Wo,
          xRow,
          xPixel,
          ctRow: ct.row,
          ctPixel: ct.pixel,
          right,
          down,
        });
    },
    read: (result) => {
      for (let c = 0; c < C; c++)
        for (let tap = 0; tap < TAPS; tap++)
          result[c * TAPS + tap] = floats[dw / 4 + (Math.floor(c / LANES) * TAPS + tap) * LANES + (c % LANES)]!;
    },
  };
}
