// Every case of every primitive and composed op on the gpu device against the reference: the modes of gpu.js that run
// everywhere, through the kernels of them all.
import { gpuStatus } from "@orepa/tensor";
import { describeParity } from "./gpu-parity.cases.ts";

/** WebGPU is tested where the package and an adapter are there. */
const optional = (await gpuStatus("gpu:webgpu")).works ? (["gpu:webgpu"] as const) : [];
for (const mode of ["gpu:cpu", "gpu:webasm", ...optional] as const) describeParity(mode);
