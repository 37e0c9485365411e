// Runs kernels in WGSL on WebGPU's buffers, gpu.js's among them.

import { OpError } from "../../../errors.ts";
import { emptied, type WebGpuBuffer, type WebGpuDevice } from "../buffers.ts";
import type { TunedLaunch } from "../builder.ts";

/** Compiles a kernel. @returns what runs it: buffers in, a buffer out per result of the launch */
export function wgslKernel(
  device: WebGpuDevice,
  { name, text, groups, writes }: TunedLaunch,
): (inputs: readonly WebGpuBuffer[]) => Promise<readonly WebGpuBuffer[]> {
  const module = device.createShaderModule({ code: text });
  const compiled = device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
  compiled.catch(() => undefined); // who runs it has the error
  return async (inputs) => {
    const pipeline = await compiled.catch((error: Error) => {
      throw new OpError(`gpu ${name}`, "a kernel that compiles", error.message, text);
    });
    const results = writes.map(({ size }) => emptied(device, size));
    const entries = [...inputs, ...results].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(...groups);
    pass.end();
    device.queue.submit([encoder.finish()]);
    return results;
  };
}
