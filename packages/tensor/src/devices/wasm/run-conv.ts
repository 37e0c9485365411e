// The three convolutions prepared for a geometry: which kernel takes it, and its operands' places. Shapes and meaning are
// those of primitives/conv/naive.ts: x [N, C, H, W], w [O, C / groups, kh, kw], y and its cotangent ct [N, O, Ho, Wo].
import type { ConvGeometry } from "../../primitives/conv/geometry.ts";
import { padTo } from "../../primitives/matmul/panels.ts";
import { runWeight, type WeightStep, weightScratch, wholeWeight } from "./conv/dense.ts";
import { positionsOf, windowOffsets } from "./conv/plan.ts";
import type { Launch } from "./launch.ts";
import { type FeatureMap, featureMap, mapSteps, panelIndex, panels, readMap, sliceMap, writeMap } from "./layout.ts";
import { product } from "./product.ts";
import { runDepthwise, runDepthwiseWeight } from "./run-depthwise.ts";
import { naiveLaunch } from "./run-naive.ts";
import type { Runtime } from "./runtime.ts";
import { type Axis, borderOf, forwardWindow, phaseWindows } from "./windows.ts";

const isDepthwise = (g: ConvGeometry) => g.groups > 1 && g.groups === g.C && g.O === g.C && g.kh === 3 && g.kw === 3;
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

export interface ConvOptions {
  /** Takes the plain loop over taps whatever the geometry. */
  readonly naive?: boolean;
  /** [O], added to every pixel; the tile takes it for free. */
  readonly bias?: Float32Array;
  /** y = silu(conv + bias), before it is written. Not for the plain loop. */
  readonly silu?: boolean;
  /** Floats from pixel to pixel of x and of the result: more than their channels if they are slices of wider maps. */
  readonly pixelStride?: number;
  /** Into how many parts the work is cut, as for as many threads. */
  readonly parts?: number;
}

/** y = conv(x, w): write(x, w), read(y). */
export function runConv(runtime: Runtime, g: ConvGeometry, options: ConvOptions = {}): Launch {
  const { naive = false, bias, pixelStride, ...rest } = options;
  if (!naive && isDepthwise(g) && g.N > 0 && !bias) return runDepthwise(runtime, g);
  if (naive || g.N === 0) return naiveLaunch(runtime, g, "conv", bias);
  const window = forwardWindow(g);
  const x = featureMap(runtime, { N: g.N, C: g.C, H: g.H, W: g.W, border: bordersOf([window], g.H, g.W), pixelStride });
  const y = featureMap(runtime, { N: g.N, C: g.O, H: g.Ho, W: g.Wo, pixelStride });
  const [C, O] = [g.C / g.groups, g.O / g.groups];
  const groups = range(g.groups).map((i) =>
    product(runtime, sliceMap(x, i * C, C), sliceMap(y, i * O, O), window, rest),
  );
  return {
    path: "tile",
    write: (values, w) => {
      writeMap(runtime, x, values);
      for (const [i, { pack }] of groups.entries())
        pack((o, c, u, v) => w[(((i * O + o) * C + c) * g.kh + u) * g.kw + v]!, bias?.subarray(i * O, (i + 1) * O));
    },
    run: () => {
      for (const { run } of groups) run();
    },
    read: (result) => readMap(runtime, y, result),
  };
}

/** x = the adjoint of the convolution in x: write(ct, w), read(x). */
export function runConvInput(runtime: Runtime, g: ConvGeometry, options: ConvOptions = {}): Launch {
  const { naive = false, pixelStride, parts = 1 } = options;
  const unstrided = g.stride[0] === 1 && g.stride[1] === 1;
  if (!naive && isDepthwise(g) && g.N > 0 && unstrided) return runDepthwise(runtime, g, { adjoint: true });
  if (naive || g.N === 0) return naiveLaunch(runtime, g, "convInput");
  const windows = phaseWindows(g);
  const ct = featureMap(runtime, {
    N: g.N,
    C: g.O,
    H: g.Ho,
    W: g.Wo,
    border: bordersOf(windows, g.Ho, g.Wo),
    pixelStride,
  });
  const x = featureMap(runtime, { N: g.N, C: g.C, H: g.H, W: g.W, pixelStride });
  const [C, O] = [g.C / g.groups, g.O / g.groups];
  const phases = range(g.groups).flatMap((i) =>
    windows.map((window) => ({
      group: i,
      ...product(runtime, sliceMap(ct, i * O, O), sliceMap(x, i * C, C), window, { parts }),
    })),
  );
  return {
    path: "tile",
    write: (values, w) => {
      writeMap(runtime, ct, values);
      for (const { pack, group } of phases) pack((c, o, u, v) => w[(((group * O + o) * C + c) * g.kh + u) * g.kw + v]!);
    },
    run: () => {
      for (const { run } of phases) run();
    },
    read: (result) => readMap(runtime, x, result),
  };
}

/** w = the adjoint of the convolution in w: write(x, ct), read(w). */
export function runConvWeight(runtime: Runtime, g: ConvGeometry, options: ConvOptions = {}): Launch {
  const { naive = false, pixelStride, parts = 1 } = options;
  if (!naive && isDepthwise(g) && g.N > 0) return runDepthwiseWeight(runtime, g);
  if (naive || g.N === 0) return naiveLaunch(runtime, g, "convWeight");
  const window = forwardWindow(g);
  const x = featureMap(runtime, { N: g.N, C: g.C, H: g.H, W: g.W, border: bordersOf([window], g.H, g.W), pixelStride });
  const ct = featureMap(runtime, { N: g.N, C: g.O, H: g.Ho, W: g.Wo, pixelStride });
  const [C, O] = [g.C / g.groups, g.O / g.groups];
  const groups = range(g.groups).map((i) =>
    weightGradient(runtime, sliceMap(x, i * C, C), sliceMap(ct, i * O, O), window, parts),
  );
  return {
    path: "tile",
    write: (values, cotangent) => {
      writeMap(runtime, x, values);
      writeMap(runtime, ct, cotangent);
    },
    run: () => {
      for (const { run } of groups) run();
    },
    read: (result) => {
      const taps = g.kh * g.kw;
      for (const [i, { at }] of groups.entries())
        for (let o = 0; o < O; o++)
          for (let c = 0; c < C; c++)
            for (let tap = 0; tap < taps; tap++) result[((i * O + o) * C + c) * taps + tap] = at(tap * C + c, o);
    },
  };
}

/** One group's gradient of the weights, and how to read its rows and columns. */
function weightGradient(
  runtime: Runtime,
  x: FeatureMap,
  ct: FeatureMap,
  window: readonly [Axis, Axis],
  parts: number,
): { run(): void; at(k: number, o: number): number } {
  const { kernels, floats } = runtime;
  const depth = window[0].taps.length * window[1].taps.length * x.C;
  const dw = panels(runtime, padTo(depth, 4), ct.C, 0);
  const step: WeightStep = {
    positions: positionsOf(x.N, window, mapSteps(x), mapSteps(ct)),
    offsets: runtime.table(windowOffsets(window, x.C, mapSteps(x))),
    depth,
    channels: ct.C,
    panels: dw.at,
  };
  const scratch = runtime.allocate(weightScratch(step) / 4);
  return {
    run: () => {
      const whole = wholeWeight(step);
      for (let part = 0; part < parts; part++) {
        const [four, fourEnd] = [part, part + 1].map((i) => Math.floor((whole.fourEnd * i) / parts)) as [
          number,
          number,
        ];
        runWeight(kernels, floats, step, { ...whole, four, fourEnd, scratch });
      }
    },
    at: (k, o) => floats[panelIndex(dw, k, o)]!,
  };
}

const bordersOf = (windows: readonly (readonly [Axis, Axis])[], H: number, W: number) =>
  [
    borderOf(
      windows.map(([rows]) => rows),
      H,
    ),
    borderOf(
      windows.map(([, columns]) => columns),
      W,
    ),
  ] as const;
