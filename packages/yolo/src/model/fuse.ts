// Fusing: a trained model becomes the plain network that is deployed. Every block that can be merged is merged in float64.

import { isMergeable, loadStateDict, namedModules, toDtype } from "@orepa/autograd";
import { abs, amax, sub, type Tensor, Variable } from "@orepa/tensor";
import type { DetectModel } from "./detect-model.ts";
import { buildModel } from "./parser.ts";

/** Options of `fuse`. */
export interface FuseOptions {
  /** Images [N, 3, H, W] on which the two models are compared. */
  readonly probe: Tensor;
  /** Largest deviation allowed, in units of the raw maps; by default what rounding explains. */
  readonly tolerance?: number;
}

/** A fused model and how far it is from the original. */
export interface FusedModel {
  readonly model: DetectModel;
  /** Largest |fused - original| over the raw maps of the probe, in eval mode. */
  readonly deviation: number;
}

/** A fused model does not compute what the original computes. */
export class FuseError extends Error {
  override readonly name = "FuseError";
  readonly deviation: number;
  readonly tolerance: number;

  constructor(deviation: number, tolerance: number) {
    super(`fuse: expected the fused model within ${tolerance} of the original, got a deviation of ${deviation}`);
    this.deviation = deviation;
    this.tolerance = tolerance;
  }
}

/** Relative spacing of the numbers of each dtype. */
const epsilon = { float32: 2 ** -23, float64: 2 ** -52 } as const;
/** Roundings that one convolution block may add to the relative error of its output. */
const roundingsPerBlock = 64;

/**
 * The same function as a network of plain convolutions: kernel and bias of every block that merges (`Mergeable`) go to
 * `<path>.conv.weight` and `<path>.conv.bias`, everything else keeps its name. A fused model is returned as it is.
 * @throws FuseError if the two differ by more than the tolerance on the probe.
 */
export function fuse(model: DetectModel, { probe, tolerance }: FuseOptions): FusedModel {
  if (model.source.fused) return { model, deviation: 0 };
  const merged = mergedStateDict(model);
  const { text, ...options } = model.source;
  const dtype = model.dtype === "float64" ? "float64" : "float32";
  const fused = toDtype(buildModel(text, { ...options, scale: options.scale || undefined, fused: true }), dtype);
  loadStateDict(fused, merged.state);

  const expected = model.forward(probe, "eval").maps;
  const got = fused.forward(probe, "eval").maps;
  const deviation = Math.max(...expected.map((map, level) => largest(sub(map, got[level]!))));
  const allowed =
    tolerance ?? roundingsPerBlock * merged.blocks * epsilon[dtype] * Math.max(1, ...expected.map(largest));
  // not "deviation > allowed": NaN must not pass
  if (!(deviation <= allowed)) throw new FuseError(deviation, allowed);
  return { model: fused, deviation };
}

const largest = (x: Tensor): number => amax(abs(x)).item();

function mergedStateDict(model: object): { state: Map<string, Tensor>; blocks: number } {
  const state = new Map<string, Tensor>();
  const blocks: string[] = [];
  for (const [path, module] of namedModules(model)) {
    if (blocks.some((block) => path.startsWith(`${block}.`))) continue;
    if (isMergeable(module)) {
      const { weight, bias } = module.merge();
      state.set(`${path}.conv.weight`, weight).set(`${path}.conv.bias`, bias);
      blocks.push(path);
    } else
      for (const [name, field] of Object.entries(module))
        if (field instanceof Variable) state.set(`${path}.${name}`, field.value);
  }
  return { state, blocks: blocks.length };
}
