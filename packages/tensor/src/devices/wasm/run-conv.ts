// The three convolutions prepared for a geometry: which kernel takes it, and its operands' places. Shapes and meaning are
// those of primitives/conv/naive.ts: x [N, C, H, W], w [O, C / groups, kh, kw], y and its cotangent ct [N, O, Ho, Wo].
import type { ConvGeometry } from "../../primitives/conv/geometry.ts";
import { padTo } from "../../primitives/matmul/panels.ts";
import { TILE_CHANNELS } from "./kernels/conv.ts";
import { TILE_RUN } from "./kernels/conv-weight.ts";
import type { Launch } from "./launch.ts";
import { featureMap, panelIndex, panels, pixelIndex, readMap, writeMap } from "./layout.ts";
import { product, runsOf } from "./product.ts";
import { runDepthwise, runDepthwiseWeight } from "./run-depthwise.ts";
import { naiveLaunch } from "./run-naive.ts";
import type { Runtime } from "./runtime.ts";
import { borderOf, forwardWindow, phaseWindows } from "./windows.ts";

/** Cache for the rows of x and ct that all tiles of the weight gradient read. */
const BLOCK_BYTES = 256 * 1024;

const isDepthwise = (g: ConvGeometry) => g.groups > 1 && g.groups === g.C && g.O === g.C && g.kh === 3 && g.kw === 3;
const isDense = (g: ConvGeometry) => g.groups === 1 && g.N > 0;

export interface ConvOptions {
  /** Takes the plain loop over taps whatever the geometry. */
  readonly naive?: boolean;
  /** [O], added to every pixel; the tile takes it for free. */
  readonly bias?: Float32Array;
  /** Floats from pixel to pixel of x: more than its channels if x is a slice of a wider map. */
  readonly pixelStride?: number;
}

/** y = conv(x, w): write(x, w), read(y). */
export function runConv(runtime: Runtime, g: ConvGeometry, options: ConvOptions = {}): Launch {
  const { naive = false, bias, pixelStride } = options;
  if (!naive && isDepthwise(g) && g.N > 0 && !bias) return runDepthwise(runtime, g);
  if (naive || !isDense(g)) return naiveLaunch(runtime, g, "conv", bias);
  const window = forwardWindow(g);
  const border = [borderOf([window[0]], g.H), borderOf([window[1]], g.W)] as const;
  const x = featureMap(runtime, { N: g.N, C: g.C, H: g.H, W: g.W, border, pixelStride });
  const y = featureMap(runtime, { N: g.N, C: g.O, H: g.Ho, W: g.Wo, lanes: TILE_CHANNELS });
  const { pack, run } = product(runtime, x, y, window);
  return {
    path: "tile",
    write: (values, w) => {
      writeMap(runtime, x, values);
      pack((o, c, u, v) => w[((o * g.C + c) * g.kh + u) * g.kw + v]!, bias);
    },
    run,
    read: (result) => readMap(runtime, y, result),
  };
}

/** x = the adjoint of the convolution in x: write(ct, w), read(x). */
export function runConvInput(runtime: Runtime, g: ConvGeometry, { naive = false }: ConvOptions = {}): Launch {
  const unstrided = g.stride[0] === 1 && g.stride[1] === 1;
  if (!naive && isDepthwise(g) && g.N > 0 && unstrided) return runDepthwise(runtime, g, { adjoint: true });
  if (naive || !isDense(g)) return naiveLaunch(runtime, g, "convInput");
  const windows = phaseWindows(g);
  const axes = (axis: 0 | 1) => windows.map((window) => window[axis]);
  const border = [borderOf(axes(0), g.Ho), borderOf(axes(1), g.Wo)] as const;
  const ct = featureMap(runtime, { N: g.N, C: g.O, H: g.Ho, W: g.Wo, border });
  const x = featureMap(runtime, { N: g.N, C: g.C, H: g.H, W: g.W, lanes: TILE_CHANNELS });
  const phases = windows.map((window) => product(runtime, ct, x, window));
  return {
    path: "tile",
    write: (values, w) => {
      writeMap(runtime, ct, values);
      for (const { pack } of phases) pack((c, o, u, v) => w[((o * g.C + c) * g.kh + u) * g.kw + v]!);
    },
    run: () => {
      for (const { run } of phases) run();
    },
    read: (result) => readMap(runtime, x, result),
  };
}

/** w = the adjoint of the convolution in w: write(x, ct), read(w). */
export function runConvWeight(runtime: Runtime, g: ConvGeometry, { naive = false }: ConvOptions = {}): Launch {
  if (!naive && isDepthwise(g) && g.N > 0) return runDepthwiseWeight(runtime, g);
  if (naive || !isDense(g)) return naiveLaunch(runtime, g, "convWeight");
  const { kernels, floats } = runtime;
  const [rows, columns] = forwardWindow(g);
  const border = [borderOf([rows], g.H), borderOf([columns], g.W)] as const;
  const x = featureMap(runtime, { N: g.N, C: g.C, H: g.H, W: g.W, border });
  const ct = featureMap(runtime, { N: g.N, C: g.O, H: g.Ho, W: g.Wo, lanes: TILE_CHANNELS });
  const channels = padTo(g.C, TILE_RUN);
  const dw = panels(runtime, g.kh * g.kw * channels, g.O, 0);
  const { taps, run } = runsOf(x, columns);
  const [xRow, xPixel] = [g.stride[0] * x.row, g.stride[1] * x.pixel];
  const block = Math.max(1, Math.floor(BLOCK_BYTES / (xRow + ct.row)));
  const source = (n: number, first: number, u: number, tap: number) =>
    pixelIndex(x, n, first * g.stride[0] - g.padding[0] + u * g.dilation[0], tap * g.dilation[1] - g.padding[1]);
  const tile = (n: number, first: number, panel: number, u: number, tap: number) =>
    kernels.convWeight({
      x: 4 * source(n, first, u, tap),
      ct: 4 * pixelIndex(ct, n, first, 0) + 4 * TILE_CHANNELS * panel,
      dw: dw.at + panel * dw.step + 4 * TILE_CHANNELS * run * (u * taps + tap),
      tiles: run / TILE_RUN,
      rows: Math.min(block, g.Ho - first),
      pixels: g.Wo,
      xRow,
      xPixel,
      ctRow: ct.row,
      ctPixel: ct.pixel,
    });
  return {
    path: "tile",
    write: (values, cotangent) => {
      writeMap(runtime, x, values);
      writeMap(runtime, ct, cotangent);
    },
    run: () => {
      floats.fill(0, dw.at / 4, (dw.at + dw.count * dw.step) / 4);
      for (let n = 0; n < g.N; n++)
        for (let first = 0; first < g.Ho; first += block)
          for (let panel = 0; panel < dw.count; panel++)
            for (let u = 0; u < g.kh; u++) for (let tap = 0; tap < taps; tap++) tile(n, first, panel, u, tap);
    },
    read: (result) => {
      for (let o = 0, k = 0; o < g.O; o++)
        for (let c = 0; c < g.C; c++)
          for (let uv = 0; uv < g.kh * g.kw; uv++) result[k++] = floats[panelIndex(dw, uv * channels + c, o)]!;
    },
  };
}
