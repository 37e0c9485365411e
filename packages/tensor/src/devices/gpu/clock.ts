// Time on the device itself: WebGPU's timestamps at both ends of every pass, gpu.js's passes among them.
import { readBytes, type WebGpuBuffer, type WebGpuDevice } from "./buffers.ts";

interface Adapter {
  readonly features: { has(name: string): boolean };
  requestDevice(settings?: { readonly requiredFeatures?: readonly string[] }): Promise<unknown>;
}
interface Gpu {
  requestAdapter(...settings: unknown[]): Promise<Adapter | null>;
}
const FEATURE = "timestamp-query";

/** Asks for timestamps wherever `open` asks for a device. A device that was there before stays without. */
export async function askingForTime<T>(open: () => Promise<T>): Promise<T> {
  const { gpu } = (globalThis as unknown as { readonly navigator: { readonly gpu: Gpu } }).navigator;
  const { requestAdapter } = gpu;
  gpu.requestAdapter = async (...settings) => {
    const adapter = await requestAdapter.apply(gpu, settings);
    if (!adapter?.features.has(FEATURE)) return adapter;
    const { requestDevice } = adapter;
    adapter.requestDevice = (asked = {}) =>
      requestDevice.call(adapter, { ...asked, requiredFeatures: [...(asked.requiredFeatures ?? []), FEATURE] });
    return adapter;
  };
  try {
    return await open();
  } finally {
    gpu.requestAdapter = requestAdapter;
  }
}

/** Passes that a set has room for (4096 places). */
const PASSES = 2048;
const NANOSECONDS = 1e-6;

/** gpu.js has one device for all: it is given one clock. */
const clocks = new WeakMap<WebGpuDevice, Clock>();

/** Counts the passes of a device, and says how long each took. */
export class Clock {
  readonly #device: WebGpuDevice;
  /** As many as the longest run so far has needed. */
  readonly #sets: object[] = [];
  readonly #resolved: WebGpuBuffer;
  #passes = 0;

  /** Nothing if the device has no timestamps. */
  static of(device: WebGpuDevice): Clock | undefined {
    if (!device.features.has(FEATURE)) return undefined;
    const clock = clocks.get(device) ?? new Clock(device);
    clocks.set(device, clock);
    return clock;
  }
  private constructor(device: WebGpuDevice) {
    this.#device = device;
    this.#resolved = device.createBuffer({ size: 16 * PASSES, usage: RESOLVED });
    const { createCommandEncoder } = device;
    device.createCommandEncoder = () => {
      const encoder = createCommandEncoder.call(device);
      const { beginComputePass } = encoder;
      encoder.beginComputePass = () => beginComputePass.call(encoder, this.#next());
      return encoder;
    };
  }
  /** Forgets the passes so far. */
  restart(): void {
    this.#passes = 0;
  }
  #next(): object {
    const set = Math.floor(this.#passes / PASSES);
    const at = 2 * (this.#passes++ % PASSES);
    this.#sets[set] ??= this.#device.createQuerySet({ type: "timestamp", count: 2 * PASSES });
    const places = { beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 };
    return { timestampWrites: { querySet: this.#sets[set], ...places } };
  }
  /** Milliseconds of every pass since the last reading. */
  async read(): Promise<readonly number[]> {
    const all: number[] = [];
    const passes = this.#passes;
    this.#passes = 0;
    for (let set = 0; set * PASSES < passes; set++) {
      const count = Math.min(PASSES, passes - set * PASSES);
      const encoder = this.#device.createCommandEncoder();
      encoder.resolveQuerySet(this.#sets[set]!, 0, 2 * count, this.#resolved, 0);
      this.#device.queue.submit([encoder.finish()]);
      const times = new BigUint64Array(await readBytes(this.#device, this.#resolved));
      for (let i = 0; i < count; i++) all.push(Number(times[2 * i + 1]! - times[2 * i]!) * NANOSECONDS);
    }
    return all;
  }
}
/** GPUBufferUsage: query resolve, copy source. */
const RESOLVED = 512 | 4;
