// The gpu device: walks the launches of a plan, keeps Variables where they are computed, gives buffers back after their last
// reader, and reads home only outputs and what host functions ask for.
import ndarray from "ndarray";
import { allocate, type TypedArray } from "../../dtype.ts";
import { DeviceError, OpError } from "../../errors.ts";
import type { Hoisted } from "../../passes/hoist.ts";
import { primitives } from "../../primitives/table.ts";
import { type Concrete, contiguous, fromData, Tensor, type TensorSpec } from "../../tensor.ts";
import type { Holder, Variable } from "../../variable.ts";
import type { Device, Executable, StepTiming } from "../device.ts";
import type { HostStep, Step, Transfer } from "./builder.ts";
import type { Engine, GpuUsage, Handle, Kernel } from "./engine.ts";
import { type Footprint, footprintOf, requireBuffers } from "./footprint.ts";
import { type GpuName, modeOf } from "./names.ts";
import { openEngine } from "./open.ts";
import type { Root } from "./place.ts";
import { makePlan, type Plan } from "./plan.ts";

/** Whole numbers are held as floats. */
const LARGEST_INTEGER = 2 ** 24;

/** A Variable's value on the device, the version it had then, and the engine that it lies in. */
interface State {
  handle: Handle | undefined;
  version: number;
  engine: Engine | undefined;
}
/** A loaded program: what it holds between runs, in the engine that ran it. */
interface Loaded {
  plan: Plan;
  footprint: Footprint;
  /** Plans anew without kernels in WGSL, if there are any. */
  plain: (() => Plan) | undefined;
  engine: Engine | undefined;
  readonly kernels: Map<Step, Kernel>;
  readonly constants: Map<Root, Handle>;
  hoisted: Map<Root, Handle>;
  versions: readonly number[] | undefined;
  /** Milliseconds of each kind of launch, all runs together. */
  readonly times: Map<string, StepTiming> | undefined;
}

export interface GpuOptions {
  /** Most bytes that a buffer may have; by default what the adapter allows. */
  readonly largestBuffer?: number;
  /**
   * Whether WebGPU takes kernels written for it where there are any, or gpu.js's alone. By default it does on a graphics card:
   * software adapters take longer to compile them.
   */
  readonly tuned?: boolean;
  /** Takes the time of every launch by WebGPU's own timestamps, where there are any: `Report.timings`. By default false. */
  readonly profile?: boolean;
}

/** A gpu device of its own. Its engine is opened, and adapters are asked for, when a program first runs or `open` is called. */
export function createGpu(name: GpuName = "gpu", options: GpuOptions = {}): GpuDevice {
  return new GpuDevice(name, options);
}

export class GpuDevice implements Device, Holder {
  readonly name: GpuName;
  readonly #allowed: number;
  readonly #tuned: boolean | undefined;
  readonly #profile: boolean;
  #opening: Promise<Engine> | undefined;
  #engine: Engine | undefined;
  /** Runs follow each other: they share Variables. */
  #queue: Promise<unknown> = Promise.resolve();
  #variables = new WeakMap<Variable, State>();
  readonly #dropped = new FinalizationRegistry<State>((state) => this.#forget(state));

  constructor(name: GpuName, { largestBuffer = Number.POSITIVE_INFINITY, tuned, profile = false }: GpuOptions) {
    this.name = name;
    this.#allowed = largestBuffer;
    this.#profile = profile;
    this.#tuned = (modeOf(name) ?? "webgpu") === "webgpu" ? tuned : false;
  }
  /** What the device holds now; nothing before the first run. */
  get usage(): GpuUsage {
    return this.#engine?.usage ?? { handles: 0, bytes: 0, peakBytes: 0, kernels: 0 };
  }
  /** Asks for the adapter now: programs loaded from here on are held against its limits. @throws OpError if there is none. */
  async open(): Promise<void> {
    await this.#enqueue(() => this.#open());
  }
  get #largestBuffer(): number {
    return Math.min(this.#allowed, this.#engine?.largestBuffer ?? Number.POSITIVE_INFINITY);
  }
  load(hoisted: Hoisted): Executable {
    requireSingle(hoisted);
    const tuned = this.#tuned ?? this.#engine?.hardware ?? true;
    const plan = makePlan(hoisted, tuned);
    const footprint = footprintOf(plan);
    requireBuffers(this.name, footprint, this.#largestBuffer);
    const { arena, program, largest, copies } = footprint;
    const buffer = { needed: largest, available: this.#largestBuffer };
    const loaded: Loaded = {
      ...{ plan, footprint, kernels: new Map(), constants: new Map(), hoisted: new Map() },
      ...{ engine: undefined, versions: undefined, plain: tuned ? () => makePlan(hoisted, false) : undefined },
      times: this.#profile ? new Map() : undefined,
    };
    const { times } = loaded;
    return {
      ...(times && { timings: () => [...times.values()] }),
      memory: { arena, program, copies, available: Number.POSITIVE_INFINITY, buffer },
      run: (inputs) => this.#enqueue(() => this.#run(loaded, inputs)),
      dispose: () => void this.#enqueue(async () => this.#unload(loaded)),
    };
  }
  pull(variable: Variable): Tensor {
    const { handle } = this.#stateOf(variable);
    const data = this.#alive(handle);
    const array = this.#engine!.immediate ? this.#engine!.read(data) : undefined;
    if (!(array instanceof Float32Array))
      throw new OpError(this.name, "a value that has been read", "one on the device", "await variable.read() first");
    return fromFloats(array, variable);
  }
  async read(variable: Variable): Promise<Tensor> {
    const handle = this.#alive(this.#stateOf(variable).handle);
    return fromFloats(await this.#guarded(this.#engine!, async (engine) => engine.read(handle)), variable);
  }
  /** Gives all back. Programs loaded on the device start anew if they run again. */
  dispose(): Promise<void> {
    return this.#enqueue(() => this.#close());
  }
  async #close(): Promise<void> {
    const engine = this.#engine;
    this.#opening = undefined;
    this.#engine = undefined;
    this.#variables = new WeakMap();
    await engine?.dispose();
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined); // who asked for it has the error
    return done;
  }
  async #open(): Promise<Engine> {
    this.#opening ??= openEngine(this.name, this.#profile);
    try {
      this.#engine = await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
    return this.#engine;
  }
  async #run(loaded: Loaded, inputs: readonly Concrete[]): Promise<readonly Tensor[]> {
    const engine = await this.#open();
    const tuned = engine.mode === "webgpu" && (this.#tuned ?? engine.hardware);
    if (!tuned && loaded.plain) {
      const plan = loaded.plain();
      Object.assign(loaded, { plan, footprint: footprintOf(plan), plain: undefined });
    }
    requireBuffers(this.name, loaded.footprint, this.#largestBuffer);
    if (loaded.engine !== engine) {
      for (const map of [loaded.kernels, loaded.constants, loaded.hoisted]) map.clear();
      Object.assign(loaded, { engine, versions: undefined });
    }
    const run = new Run(engine, loaded);
    return this.#guarded(engine, () => this.#steps(run, loaded, inputs).finally(() => run.close()));
  }
  /** What work gives, unless the device is lost meanwhile: then it may be anything. */
  async #guarded<T>(engine: Engine, work: (engine: Engine) => Promise<T>): Promise<T> {
    try {
      const result = await work(engine);
      this.#requireHealthy(engine);
      return result;
    } catch (error) {
      this.#requireHealthy(engine);
      throw error;
    }
  }
  /** A lost device takes the values of Variables with it: nothing that follows can be right. */
  #requireHealthy(engine: Engine): void {
    if (engine.fault === undefined) return;
    const hint = "Variables that the device alone held are lost: load a checkpoint";
    throw new DeviceError(this.name, "a device that answers", engine.fault, hint);
  }
  async #steps(run: Run, loaded: Loaded, inputs: readonly Concrete[]): Promise<readonly Tensor[]> {
    const { plan } = loaded;
    run.engine.clock?.restart();
    await run.keepConstants();
    for (const [v, { place }] of plan.variables) run.lend(place.root, await this.#residentOf(v, run.engine));
    const now = [...plan.variables.keys()].filter((v) => !plan.updates.has(v)).map((v) => v.version);
    const fresh = loaded.versions?.every((version, i) => version === now[i]) ?? false;
    if (!fresh) {
      loaded.versions = undefined;
      run.dropHoisted();
      await run.walk(0, plan.prologue);
      run.keepHoisted();
      loaded.versions = now;
    }
    for (const [i, transfer] of plan.inputs.entries())
      run.own(transfer.place.root, await run.engine.upload(floatsOf(inputs[i]!, this.name)));
    await run.walk(plan.prologue, plan.steps.length);
    await run.takeTimes();
    const outputs: Tensor[] = [];
    for (const transfer of plan.outputs) outputs.push(await run.read(transfer));
    for (const [v, root] of plan.updates) {
      const state = this.#stateOf(v);
      this.#forget(state);
      v.heldBy(this);
      Object.assign(state, { handle: run.take(root), version: v.version, engine: run.engine });
    }
    return outputs;
  }
  /** The buffer of a Variable's newest value. */
  async #residentOf(v: Variable, engine: Engine): Promise<Handle> {
    const state = this.#stateOf(v);
    if (state.handle && state.version === v.version) return state.handle;
    const { version } = v;
    const handle = await engine.upload(floatsOf((await v.read()) as Concrete, this.name)); // outside of traces it has data
    this.#forget(state);
    Object.assign(state, { handle, version, engine });
    return handle;
  }
  #stateOf(v: Variable): State {
    const known = this.#variables.get(v);
    if (known) return known;
    const state: State = { handle: undefined, version: -1, engine: undefined };
    this.#variables.set(v, state);
    this.#dropped.register(v, state);
    return state;
  }
  #forget(state: State): void {
    if (state.handle && state.engine === this.#engine) this.#engine?.drop(state.handle);
    state.handle = undefined;
  }
  #alive(handle: Handle | undefined): Handle {
    if (!handle || !this.#engine)
      throw new OpError(this.name, "a Variable's value", "none", "the device that held it was disposed of or lost");
    this.#requireHealthy(this.#engine);
    return handle;
  }
  async #unload({ kernels, constants, hoisted, engine }: Loaded): Promise<void> {
    if (!engine || engine !== this.#engine) return;
    for (const kernel of kernels.values()) engine.release(kernel);
    for (const handle of [...constants.values(), ...hoisted.values()]) engine.drop(handle);
    for (const map of [kernels, constants, hoisted]) map.clear();
  }
}

/** One run of a program: which buffer stands for which root, and which of them end with the run. */
class Run {
  readonly engine: Engine;
  readonly #loaded: Loaded;
  readonly #lent = new Map<Root, Handle>();
  readonly #own = new Map<Root, Handle>();
  /** The launches so far, if their times are wanted. */
  readonly #timed: Step[] = [];

  constructor(engine: Engine, loaded: Loaded) {
    this.engine = engine;
    this.#loaded = loaded;
  }
  lend(root: Root, handle: Handle): void {
    this.#lent.set(root, handle);
  }
  own(root: Root, handle: Handle): void {
    this.#own.set(root, handle);
  }
  take(root: Root): Handle {
    const handle = this.#own.get(root)!;
    this.#own.delete(root);
    return handle;
  }
  /** Gives back what the run made. */
  close(): void {
    for (const handle of this.#own.values()) this.engine.drop(handle);
    this.#own.clear();
  }
  async keepConstants(): Promise<void> {
    const { plan, constants } = this.#loaded;
    for (const [root, data] of plan.constants)
      if (!constants.has(root)) constants.set(root, await this.engine.upload(data));
  }
  dropHoisted(): void {
    for (const handle of this.#loaded.hoisted.values()) this.engine.drop(handle);
    this.#loaded.hoisted = new Map();
  }
  keepHoisted(): void {
    for (const root of this.#loaded.plan.kept) this.#loaded.hoisted.set(root, this.take(root));
  }
  /** Adds up what the device says that its launches took. */
  async takeTimes(): Promise<void> {
    const { times } = this.#loaded;
    const { clock } = this.engine;
    if (!times || !clock) return;
    const list = await clock.read();
    if (list.length !== this.#timed.length) return; // other devices have run meanwhile
    for (const [i, { kind, name, writes }] of this.#timed.entries()) {
      const about = writes.map(({ size }) => size).join(" ");
      const key = `${kind} ${name} ${about}`;
      times.set(key, { step: kind, name, about, ms: (times.get(key)?.ms ?? 0) + list[i]! });
    }
  }
  async walk(from: number, end: number): Promise<void> {
    const { plan, kernels } = this.#loaded;
    for (let i = from; i < end; i++) {
      const step = plan.steps[i]!;
      if (step.kind === "host") await this.#host(step);
      else {
        let kernel = kernels.get(step);
        if (!kernel) {
          kernel = this.engine.kernel(step);
          kernels.set(step, kernel);
        }
        const inputs = step.reads.map((root) => this.#at(root));
        const results = await this.engine.run(kernel, step, inputs);
        this.#timed.push(step);
        for (const [k, root] of step.writes.entries()) this.own(root, results[k]!);
      }
      for (const root of plan.frees[i]!) this.engine.drop(this.take(root));
    }
  }
  async #host({ params, inputs, writes }: HostStep): Promise<void> {
    const values: Concrete[] = [];
    for (const transfer of inputs) values.push(await this.read(transfer));
    const results = primitives.hostCall.evaluate(values, params, params.outputs, allocate) as readonly Concrete[];
    for (const [i, root] of writes.entries())
      this.own(root, await this.engine.upload(floatsOf(results[i]!, "hostCall")));
  }
  async read({ spec, place }: Transfer): Promise<Concrete> {
    const array = await this.engine.read(this.#at(place.root));
    const view = ndarray(array as TypedArray, [...place.shape], [...place.stride], place.offset);
    const floats = contiguous(new Tensor(place.shape, "float32", view) as Concrete) as Float32Array;
    return fromFloats(floats, spec);
  }
  #at(root: Root): Handle {
    const { constants, hoisted } = this.#loaded;
    return (this.#own.get(root) ?? this.#lent.get(root) ?? hoisted.get(root) ?? constants.get(root))!;
  }
}

function floatsOf(value: Concrete, name: string): Float32Array {
  const data = contiguous(value);
  if (value.dtype === "int32" && data.some((n) => Math.abs(n) > LARGEST_INTEGER))
    throw new OpError(name, `whole numbers up to ${LARGEST_INTEGER}`, "a larger one", "use device cpu");
  if (data.length === 0) return new Float32Array(1);
  return data instanceof Float32Array ? data : Float32Array.from(data);
}
function fromFloats(floats: Float32Array, { shape, dtype }: TensorSpec): Concrete {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = floats.length === size ? floats : floats.subarray(0, size);
  const arrays = { int32: Int32Array, bool: Uint8Array };
  return fromData(dtype === "float32" ? data : new arrays[dtype as keyof typeof arrays](data), shape, dtype); // float64 was refused
}

/** @throws OpError if something is float64. */
function requireSingle({ before, program }: Hoisted): void {
  const tensors = [...before, ...program.equations].flatMap((e) => [...e.inputs, ...e.outputs]);
  for (const t of [...program.inputs, ...program.variables.values(), ...tensors])
    if (t.dtype === "float64")
      throw new OpError("gpu", "float32, int32 and bool", "float64", "device cpu computes in float64");
}
