// How close the gpu device is held to the reference, by primitive and mode of gpu.js.
import { type PrimitiveName, primitives } from "@orepa/tensor";

export type GpuTestMode = "gpu:cpu" | "gpu:webasm" | "gpu:webgl2" | "gpu:webgpu";

/** Relative to the largest value: float32 over sums as short as the cases' are. */
const USUAL = 2e-6;
/** WGSL asks no more of these (section "floating point accuracy"). */
const coarse: Partial<Record<PrimitiveName, number>> = { sin: 2 ** -11, cos: 2 ** -11 };

/** Largest deviation of a primitive, or of its gradients, as part of the largest value. */
export function tolerance(name: PrimitiveName, mode: GpuTestMode, usual?: number): number {
  const limit = isShader(mode) ? coarse[name] : undefined;
  return limit ?? usual ?? (primitives[name].kind === "view" ? 0 : USUAL);
}
const isShader = (mode: GpuTestMode): boolean => mode === "gpu:webgl2" || mode === "gpu:webgpu";
/** WGSL need not have infinities and NaN, nor need GLSL. */
export const nonFinite = (mode: GpuTestMode): boolean => !isShader(mode);
