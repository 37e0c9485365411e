// The names of gpu devices.
import type { GpuMode } from "./engine.ts";

/** `gpu` takes the first back end with hardware behind it; the others are asked for by name, software or not. */
export type GpuName = "gpu" | `gpu:${GpuMode}`;
const modes = {
  gpu: undefined,
  "gpu:webgpu": "webgpu",
  "gpu:webgl2": "webgl2",
  "gpu:headlessgl": "headlessgl",
  "gpu:webasm": "webasm",
  "gpu:cpu": "cpu",
} as const satisfies { readonly [N in GpuName]: GpuMode | undefined };

export const gpuNames = Object.keys(modes) as readonly GpuName[];
/** gpu.js's back end of a name; `gpu` leaves it open. */
export const modeOf = (name: GpuName): GpuMode | undefined => modes[name];
