// Sums over windows of one feature map, written to another, with their tables and weights in memory.

import { type DenseStep, denseScratch, runDense } from "./conv/dense.ts";
import { positionsOf, windowOffsets } from "./conv/plan.ts";
import { countOf } from "./conv/positions.ts";
import { type FeatureMap, mapSteps, type Panels, panelIndex, panels } from "./layout.ts";
import type { Runtime } from "./runtime.ts";
import type { Axis } from "./windows.ts";

export interface Product {
  /** Packs weights given by target channel, source channel and tap. */
  pack(weight: (target: number, source: number, u: number, v: number) => number, bias?: Float32Array): void;
  run(): void;
}

/** target[to] = bias + the sum over the window at `from` of source * weights, in as many parts as asked for. */
export function product(
  runtime: Runtime,
  source: FeatureMap,
  target: FeatureMap,
  window: readonly [Axis, Axis],
  { silu = false, parts = 1 } = {},
): Product {
  const { kernels, floats } = runtime;
  const [rows, columns] = window;
  const depth = rows.taps.length * columns.taps.length * source.C;
  const weights = panels(runtime, depth, target.C, 1);
  const step: DenseStep = {
    positions: positionsOf(source.N, window, mapSteps(source), mapSteps(target)),
    offsets: runtime.table(windowOffsets(window, source.C, mapSteps(source))),
    depth,
    weights: weights.at,
    channels: target.C,
    silu,
  };
  const scratch = runtime.allocate(denseScratch(step) / 4);
  const count = countOf(step.positions);
  return {
    pack: (weight, bias) => packWeights(floats, weights, source.C, rows.taps, columns.taps, weight, bias),
    run: () => {
      for (let part = 0; part < parts; part++) {
        const [first, end] = [part, part + 1].map((i) => Math.floor((count * i) / parts)) as [number, number];
        runDense(kernels, step, { scratch, first, end });
      }
    },
  };
}

function packWeights(
  floats: Float32Array,
  weights: Panels,
  sources: number,
  rowTaps: readonly number[],
  columnTaps: readonly number[],
  weight: (target: number, source: number, u: number, v: number) => number,
  bias?: Float32Array,
): void {
  for (let o = 0; o < weights.columns; o++) {
    floats[panelIndex(weights, -1, o)] = bias ? bias[o]! : 0;
    for (const [i, u] of rowTaps.entries())
      for (const [j, v] of columnTaps.entries())
        for (let c = 0; c < sources; c++)
          floats[panelIndex(weights, (i * columnTaps.length + j) * sources + c, o)] = weight(o, c, u, v);
  }
}
