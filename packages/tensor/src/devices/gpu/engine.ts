// The only file that knows gpu.js 2.24.1, its undocumented fields included: kernels by text and sizes, handles, what they
// hold and when that is given back. The version is pinned; the tests look at the fields.
import { OpError } from "../../errors.ts";
import { readBack, uploaded, type WebGpuBuffer, type WebGpuDevice } from "./buffers.ts";
import type { Launch, TunedLaunch } from "./builder.ts";
import { askingForTime, Clock } from "./clock.ts";
import { wgslKernel } from "./wgsl/kernels.ts";

/** gpu.js's back ends. */
export type GpuMode = "webgpu" | "webgl2" | "headlessgl" | "webasm" | "cpu";

/** A buffer of floats on the device. */
export interface Handle {
  readonly value: Value;
  readonly bytes: number;
}
/** The values themselves (cpu and webasm), or something of gpu.js that stands for them. */
type Value = Float32Array | Resident;
interface Resident {
  toArray(): unknown;
  delete(): void;
  /** WebGPU's. */
  readonly buffer?: CountedBuffer;
}
interface CountedBuffer extends WebGpuBuffer {
  _refs: number;
}
/** WebGPU's. */
interface Shared extends Resident {
  readonly constructor: new (settings: {
    readonly buffer: WebGpuBuffer;
    readonly output: readonly number[];
    readonly context: Shared["context"];
    readonly kernel: object;
  }) => Resident;
  readonly buffer: CountedBuffer;
  readonly context: { readonly device: WebGpuDevice };
  readonly kernel: object;
}
interface GpuKernel {
  (...inputs: readonly Value[]): unknown;
  readonly kernel: { readonly constructor: { readonly mode: string }; outputBuffer?: CountedBuffer | null };
  destroy(): void;
}
interface GpuInstance {
  createKernel(text: string, settings: object): GpuKernel;
  destroy(): Promise<void> | undefined;
}
/** The parts of gpu.js's module that are used. */
interface GpuModule {
  readonly GPU: {
    new (settings: { readonly mode: GpuMode }): GpuInstance;
    readonly isWebGL2Supported: boolean;
    readonly isHeadlessGLSupported: boolean;
    readonly isWebGPUSupported: boolean;
  };
}
/** gpu.js, read at first use: programs of other devices do not wait for it. */
export async function gpuModule(): Promise<GpuModule> {
  const module = (await import("gpu.js")) as unknown as GpuModule & { readonly default?: GpuModule };
  return module.GPU ? module : module.default!;
}

/** What an engine holds. */
export interface GpuUsage {
  /** Buffers alive, and their bytes now and at most so far. */
  readonly handles: number;
  readonly bytes: number;
  readonly peakBytes: number;
  /** Kernels compiled and kept. */
  readonly kernels: number;
}
/** A compiled kernel, shared by equal launches. */
export interface Kernel {
  readonly key: string;
  /** A value per result. */
  readonly run: (inputs: readonly Value[]) => Promise<readonly Value[]>;
  readonly destroy: () => void;
  users: number;
}
/** gpu.js stops loops that have no constant bound at this many turns; the lint allows none. */
const LOOP_TURNS = 1e7;
const NUMBER = 4;

interface EngineOptions {
  /** Whether a graphics card computes. */
  readonly hardware: boolean;
  /** Whether the device's own times are wanted, where it has any. */
  readonly profile?: boolean;
}

export class Engine {
  readonly mode: GpuMode;
  /** Whether a graphics card computes. */
  readonly hardware: boolean;
  /** Why values on the device cannot be trusted any more. */
  fault: string | undefined;
  readonly #gpu: GpuInstance;
  readonly #lint: (text: string) => void;
  readonly #kernels = new Map<string, Kernel>();
  /** A handle of WebGPU, from which others are made. */
  #pattern: Shared | undefined;
  #clock: Clock | undefined;
  #handles = 0;
  #bytes = 0;
  #peakBytes = 0;
  #largestBuffer = Number.POSITIVE_INFINITY;

  private constructor(
    { mode, hardware }: Pick<Engine, "mode" | "hardware">,
    gpu: GpuInstance,
    lint: (text: string) => void,
  ) {
    this.mode = mode;
    this.hardware = hardware;
    this.#gpu = gpu;
    this.#lint = lint;
  }
  /** @throws whatever gpu.js says if the mode does not work here. */
  static async open(mode: GpuMode, { hardware, profile = false }: EngineOptions): Promise<Engine> {
    const [{ GPU }, { lintKernel }] = await Promise.all([gpuModule(), import("./lint.ts")]);
    const engine = new Engine({ mode, hardware }, new GPU({ mode }), lintKernel);
    try {
      const start = () => engine.upload(Float32Array.of(1));
      const timed = profile && mode === "webgpu";
      const probe = await (timed ? askingForTime(start) : start());
      if (mode === "webgpu") engine.#share(probe.value as Shared);
      if (timed) engine.#clock = Clock.of((probe.value as Shared).context.device);
      engine.drop(probe);
      return engine;
    } catch (error) {
      await engine.dispose();
      throw error;
    }
  }
  #share(pattern: Shared): void {
    this.#pattern = pattern;
    const { device } = pattern.context;
    this.#largestBuffer = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
    this.#watch(device);
  }
  /** gpu.js prints what WebGPU reports; results are wrong from then on. */
  #watch(device: WebGpuDevice): void {
    const said = device.onuncapturederror;
    device.onuncapturederror = (event) => {
      this.fault ??= event.error.message;
      said?.(event);
    };
    void device.lost.then(({ reason, message }) => {
      this.fault = `device lost: ${message || reason}`;
    });
  }
  /** Most bytes that one buffer may have. */
  get largestBuffer(): number {
    return this.#largestBuffer;
  }
  /** What takes the time of launches, if it was asked for and there is one. */
  get clock(): Clock | undefined {
    return this.#clock;
  }
  /** Whether values are at hand without waiting. */
  get immediate(): boolean {
    return this.mode === "cpu" || this.mode === "webasm";
  }
  /** Kernels of OpenGL share one state: destroying one takes the vertices from all, so they are kept for the next program. */
  get #drawn(): boolean {
    return this.mode === "webgl2" || this.mode === "headlessgl";
  }
  get usage(): GpuUsage {
    return {
      handles: this.#handles,
      bytes: this.#bytes,
      peakBytes: this.#peakBytes,
      kernels: this.#kernels.size,
    };
  }
  /** The kernel of a launch; `release` gives it back. */
  kernel(launch: Launch | TunedLaunch): Kernel {
    const sizes = (roots: readonly { readonly size: number }[]) => roots.map(({ size }) => size).join();
    // webasm compiles the sizes of the arguments into the kernel.
    const key =
      launch.kind === "tuned"
        ? `${launch.groups.join()}|${sizes(launch.writes)}|${launch.text}`
        : `${launch.output.join()}|${sizes(launch.reads)}|${launch.text}`;
    let kernel = this.#kernels.get(key);
    if (!kernel) {
      kernel = { key, users: 0, ...(launch.kind === "tuned" ? this.#tuned(launch) : this.#translated(launch)) };
      this.#kernels.set(key, kernel);
    }
    kernel.users++;
    return kernel;
  }
  /** A kernel that gpu.js translates. */
  #translated({ text, output }: Pick<Launch, "text" | "output">): Pick<Kernel, "run" | "destroy"> {
    this.#lint(text);
    // A kernel of OpenGL takes textures of one rank only, but a Variable's is of rank 1 until it is assigned.
    const cells = this.#drawn ? [...output, 1, 1].slice(0, 3) : [...output];
    // Nor does it see that a texture has another width than the first: arrays of one size differ in that by how they were made.
    const dynamicArguments = this.#drawn;
    const settings = { output: cells, pipeline: true, immutable: true, precision: "single", dynamicArguments };
    const call = this.#gpu.createKernel(text, { ...settings, loopMaxIterations: LOOP_TURNS });
    let checked = false;
    const run = async (inputs: readonly Value[]): Promise<readonly Value[]> => {
      const result = call(...inputs);
      const value = result instanceof Promise ? await result : result;
      if (!checked) this.#check(call);
      checked = true;
      return [this.immediate ? flat(value) : own(value as Resident, call)];
    };
    return { run, destroy: () => call.destroy() };
  }
  /** A kernel in WGSL, whose results gpu.js's kernels take as well. */
  #tuned(launch: TunedLaunch): Pick<Kernel, "run" | "destroy"> {
    const { constructor: Result, context, kernel } = this.#pattern!; // plans have such launches on WebGPU alone
    const start = wgslKernel(context.device, launch);
    const run = async (inputs: readonly Value[]): Promise<readonly Value[]> => {
      const buffers = await start(inputs.map((value) => (value as Shared).buffer));
      return buffers.map((buffer, i) => new Result({ buffer, output: [launch.writes[i]!.size], context, kernel }));
    };
    return { run, destroy: () => undefined };
  }
  release(kernel: Kernel): void {
    if (--kernel.users > 0 || this.#drawn) return;
    this.#kernels.delete(kernel.key);
    kernel.destroy();
  }
  /** Runs the kernel of a launch. @returns a handle per result */
  async run(kernel: Kernel, { writes }: Pick<Launch, "writes">, inputs: readonly Handle[]): Promise<readonly Handle[]> {
    const values = await kernel.run(inputs.map(({ value }) => value));
    return values.map((value, i) => this.#hold(value, writes[i]!.size));
  }
  /** gpu.js goes on in another mode where one fails, and only prints that it does. */
  #check({ kernel }: GpuKernel): void {
    const { mode } = kernel.constructor;
    const expected = this.#drawn ? "gpu" : this.mode;
    if (mode !== expected) throw new OpError("gpu", `kernels in mode ${expected}`, mode, "gpu.js fell back");
  }
  #hold(value: Value, size: number): Handle {
    const bytes = NUMBER * size;
    this.#handles++;
    this.#bytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
    return { value, bytes };
  }
  /** The array must not change afterwards: where there is no device memory it is used as it is. */
  async upload(data: Float32Array): Promise<Handle> {
    const size = data.length;
    if (this.immediate) return this.#hold(data, size);
    if (this.#pattern) {
      const { constructor: Result, context, kernel } = this.#pattern;
      return this.#hold(new Result({ buffer: uploaded(context.device, data), output: [size], context, kernel }), size);
    }
    const launch = { kind: "launch", name: "upload", text: UPLOAD, output: [size] } as const;
    const kernel = this.kernel({ ...launch, reads: [{ size }], writes: [{ size }] });
    return (await this.run(kernel, { writes: [{ size }] }, [{ value: data, bytes: 0 }]))[0]!;
  }
  /** Do not write to the array. */
  read({ value }: Handle): Float32Array | Promise<Float32Array> {
    if (value instanceof Float32Array) return value;
    if (value.buffer && this.#pattern) return readBack(this.#pattern.context.device, value.buffer);
    const array = value.toArray();
    return array instanceof Promise ? array.then(flat) : flat(array);
  }
  drop({ value, bytes }: Handle): void {
    this.#handles--;
    this.#bytes -= bytes;
    if (!(value instanceof Float32Array)) value.delete();
  }
  async dispose(): Promise<void> {
    this.#kernels.clear();
    await this.#gpu.destroy();
  }
}
const UPLOAD = "function(a0) {\nreturn a0[this.thread.x];\n}";

/** A WebGPU kernel keeps its last output alive until its next run: taken from it here, or every buffer of a step would stay. */
function own(value: Resident, { kernel }: GpuKernel): Resident {
  if (value.buffer && kernel.outputBuffer === value.buffer) {
    kernel.outputBuffer = null;
    value.buffer._refs--;
  }
  return value;
}

/** Results of two and three axes come as nested rows: in webasm of one array, in cpu of one each. */
function flat(result: unknown): Float32Array {
  if (result instanceof Float32Array) return result;
  const rows = (result as readonly (Float32Array | Float32Array[])[]).flat() as Float32Array[];
  const first = rows[0]!;
  const n = first.length;
  const joined = rows.every(
    (row, i) => row.buffer === first.buffer && row.byteOffset === first.byteOffset + i * n * NUMBER,
  );
  if (joined) return new Float32Array(first.buffer, first.byteOffset, rows.length * n);
  const all = new Float32Array(rows.length * n);
  for (const [i, row] of rows.entries()) all.set(row, i * n);
  return all;
}
