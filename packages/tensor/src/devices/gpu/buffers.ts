// Uploads and read-backs of WebGPU without kernels: gpu.js keeps a copy of what passes through one as long as the kernel.

/** The parts of a GPUDevice that are used. */
export interface WebGpuDevice {
  readonly limits: { readonly maxBufferSize: number; readonly maxStorageBufferBindingSize: number };
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  onuncapturederror: ((event: { readonly error: { readonly message: string } }) => void) | null;
  readonly queue: {
    writeBuffer(buffer: WebGpuBuffer, offset: number, data: Float32Array): void;
    submit(commands: readonly object[]): void;
  };
  createBuffer(settings: { readonly size: number; readonly usage: number }): WebGpuBuffer;
  readonly features: { has(name: string): boolean };
  createQuerySet(settings: { readonly type: "timestamp"; readonly count: number }): object;
  createShaderModule(settings: { readonly code: string }): object;
  /** @throws what the compiler says. */
  createComputePipelineAsync(settings: {
    readonly layout: "auto";
    readonly compute: { readonly module: object; readonly entryPoint: string };
  }): Promise<WebGpuPipeline>;
  createBindGroup(settings: {
    readonly layout: object;
    readonly entries: readonly { readonly binding: number; readonly resource: { readonly buffer: WebGpuBuffer } }[];
  }): object;
  createCommandEncoder(): WebGpuEncoder;
}
interface WebGpuEncoder {
  beginComputePass(settings?: object): {
    setPipeline(pipeline: WebGpuPipeline): void;
    setBindGroup(index: number, group: object): void;
    dispatchWorkgroups(x: number, y: number, z: number): void;
    end(): void;
  };
  copyBufferToBuffer(from: WebGpuBuffer, start: number, to: WebGpuBuffer, at: number, bytes: number): void;
  resolveQuerySet(set: object, first: number, count: number, to: WebGpuBuffer, at: number): void;
  finish(): object;
}
interface WebGpuPipeline {
  getBindGroupLayout(index: number): object;
}
export interface WebGpuBuffer {
  readonly size: number;
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  destroy(): void;
}
/** GPUBufferUsage and GPUMapMode, as the standard numbers them. */
const USAGE = { mapRead: 1, copySource: 4, copyTarget: 8, storage: 128 } as const;
const READ = 1;

/** A buffer of so many zeros that kernels can read and write. */
export const emptied = (device: WebGpuDevice, size: number): WebGpuBuffer =>
  device.createBuffer({ size: 4 * size, usage: USAGE.storage | USAGE.copySource | USAGE.copyTarget });

/** The same with values in it. */
export function uploaded(device: WebGpuDevice, data: Float32Array): WebGpuBuffer {
  const buffer = emptied(device, data.length);
  device.queue.writeBuffer(buffer, 0, data);
  return buffer;
}

/** The values of a buffer once all that was submitted has run. @throws if the device is lost meanwhile. */
export const readBack = async (device: WebGpuDevice, buffer: WebGpuBuffer): Promise<Float32Array> =>
  new Float32Array(await readBytes(device, buffer));

/** The same as bytes. */
export async function readBytes(device: WebGpuDevice, buffer: WebGpuBuffer): Promise<ArrayBuffer> {
  const landing = device.createBuffer({ size: buffer.size, usage: USAGE.mapRead | USAGE.copyTarget });
  try {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, landing, 0, buffer.size);
    device.queue.submit([encoder.finish()]);
    await landing.mapAsync(READ);
    return landing.getMappedRange().slice(0);
  } finally {
    landing.destroy();
  }
}
