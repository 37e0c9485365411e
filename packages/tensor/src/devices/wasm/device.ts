// The wasm device: SIMD kernels over one memory, a pool of threads that walk the same plan, Variables that stay in memory
// between runs.
import type { Equation } from "../../bind.ts";
import { allocate } from "../../dtype.ts";
import { OpError } from "../../errors.ts";
import type { Hoisted } from "../../passes/hoist.ts";
import { uniform } from "../../passes/program.ts";
import { hostCall } from "../../primitives/host-call.ts";
import { sizeOf } from "../../shape.ts";
import { type Concrete, concrete, contiguous, fromData, type Tensor } from "../../tensor.ts";
import type { Holder, Variable } from "../../variable.ts";
import type { Device, Executable, PlannedMemory } from "../device.ts";
import { Heap } from "./heap.ts";
import type { HostPlan, Transfer } from "./lower/host.ts";
import { makeMemory } from "./memory.ts";
import { storageBytes } from "./plan/place.ts";
import { makePlan, type Plan, type PlanMemory } from "./plan/plan.ts";
import { runStep } from "./steps/table.ts";
import { Pool } from "./threads/pool.ts";
import { requestWide } from "./wide.ts";

export interface WasmOptions {
  /** Threads that work, the caller's included. Default: one per core. Results do not depend on it. */
  readonly threads?: number;
  /** Most bytes of memory. Default: what WebAssembly can address, 4 GiB; untouched memory costs nothing. */
  readonly maximumBytes?: number;
  /**
   * Lets the engine compute with vectors of 256 bits: an experiment of V8 from Node 24 on, for the whole process from then on.
   * Elsewhere an OpError.
   */
  readonly wide?: boolean;
  /** Milliseconds without a sign of life from any thread until a run is given up. Default: a minute. */
  readonly patience?: number;
  /** Takes the time of every step; `report()` then has them. */
  readonly profile?: boolean;
  /** The program of the workers, where a bundler has moved it; made from `threads/worker.ts`. */
  readonly worker?: URL;
}
/** Whole numbers are held as floats. */
const LARGEST_INTEGER = 2 ** 24;

/** A wasm device of its own: its memory and threads are not shared with others. */
export function createWasm(options: WasmOptions = {}): WasmDevice {
  return new WasmDevice(options);
}

class WasmDevice implements Device, Holder {
  readonly name = "wasm";
  readonly #floats: Float32Array;
  readonly #shared: boolean;
  readonly #profile: boolean;
  readonly #heap: Heap;
  readonly #pool: Pool;
  readonly #variables = new WeakMap<Variable, { readonly address: number; version: number }>();
  readonly #dropped: FinalizationRegistry<number>;

  constructor({ threads = cores(), maximumBytes, worker, patience, profile = false, wide = false }: WasmOptions) {
    if (wide) requestWide();
    this.#profile = profile;
    const memory = makeMemory({ shared: threads > 1, ...(maximumBytes !== undefined && { maximumBytes }) });
    this.#floats = new Float32Array(memory.buffer);
    this.#shared = !(memory.buffer instanceof ArrayBuffer);
    this.#heap = new Heap(memory.buffer.byteLength);
    this.#pool = new Pool({
      ...{ memory, heap: this.#heap, threads, wide },
      ...(patience !== undefined && { patience }),
      ...(worker && { program: { url: worker, run: runStep } }),
    });
    this.#dropped = new FinalizationRegistry((address) => this.#heap.free(address));
  }
  /** Threads at work. */
  get threads(): number {
    return this.#pool.threads;
  }
  /** Why there are fewer threads than asked for, if so. */
  get note(): string | undefined {
    return this.#pool.note;
  }
  load(hoisted: Hoisted): Executable {
    requireFloat32(hoisted);
    // Threads come up while the plan is made; who runs it waits for them, and learns of a failure.
    this.#pool.start().catch(() => undefined);
    const held: number[] = [];
    let [bytes, available] = [0, 0];
    let arena: number | undefined;
    const memory: PlanMemory = {
      persistent: {
        allocate: (size) => {
          const address = this.#heap.allocate(size);
          held.push(address);
          bytes += size;
          return address;
        },
      },
      variable: (v) => this.#stateOf(v).address,
      openArena: (size) => {
        available = this.#heap.available;
        const address = this.#heap.openArena(size);
        arena = size;
        return address;
      },
    };
    const free = (): void => {
      if (arena !== undefined) this.#heap.closeArena(arena);
      arena = undefined;
      for (const address of held.splice(0)) this.#heap.free(address);
    };
    try {
      const plan = makePlan(hoisted, memory, this.#shared);
      const planned = { arena: plan.arenaBytes, available, program: bytes, copies: plan.copies };
      return this.#executable(hoisted, plan, planned, free);
    } catch (error) {
      free();
      throw error;
    }
  }
  #executable({ program }: Hoisted, plan: Plan, memory: PlannedMemory, free: () => void): Executable {
    const constants = [...program.variables.keys()].filter((v) => !program.updates.has(v));
    let id: number | undefined;
    let versions: readonly number[] | undefined;
    const timings = this.#profile ? new Float64Array(plan.steps.length) : undefined;
    const loaded = (): number => {
      for (const { address, values } of plan.constants)
        if (values instanceof Int32Array) new Int32Array(this.#floats.buffer, address, values.length).set(values);
        else this.#floats.set(values, address / 4);
      return this.#pool.load(plan);
    };
    return {
      ...(timings && {
        timings: () => plan.steps.map(({ op }, i) => ({ step: op, ...plan.origins[i]!, ms: timings[i]! })),
      }),
      memory,
      run: async (inputs) => {
        await this.#pool.start();
        id ??= loaded();
        for (const [i, transfer] of plan.inputs.entries()) this.#write(transfer, inputs[i]!);
        for (const v of program.variables.keys()) this.#upload(v);
        const now = constants.map((v) => v.version);
        const fresh = versions?.every((version, i) => version === now[i]) ?? false;
        const host = (call: number) => this.#hostCall(plan.hosts[call]!);
        try {
          this.#pool.run(id, { from: fresh ? plan.prologue : 0, host, ...(timings && { timings }) });
        } catch (error) {
          // Some may be assigned already: values that are at home are taken from there again.
          for (const v of program.updates.keys()) this.#stateOf(v).version = -1;
          throw error;
        }
        versions = now;
        for (const v of program.updates.keys()) {
          v.heldBy(this);
          this.#stateOf(v).version = v.version;
        }
        return plan.outputs.map((transfer) => this.#read(transfer));
      },
      dispose: () => {
        if (id !== undefined) this.#pool.release(id);
        free();
      },
    };
  }
  pull(variable: Variable): Tensor {
    const { address } = this.#stateOf(variable);
    return this.#read({ address, spec: { shape: variable.shape, dtype: variable.dtype } });
  }
  /** Ends the threads. Programs loaded on the device cannot run any more. */
  async dispose(): Promise<void> {
    await this.#pool.dispose();
  }
  #stateOf(v: Variable): { readonly address: number; version: number } {
    const known = this.#variables.get(v);
    if (known) return known;
    const state = { address: this.#heap.allocate(storageBytes(sizeOf(v.shape))), version: -1 };
    this.#variables.set(v, state);
    this.#dropped.register(v, state.address);
    return state;
  }
  #upload(v: Variable): void {
    const state = this.#stateOf(v);
    if (state.version === v.version) return;
    this.#write({ address: state.address, spec: v }, v.value as Concrete); // outside of traces it has data
    state.version = v.version;
  }
  #write({ address, spec }: Transfer, value: Concrete): void {
    // Much of what a training begins with repeats one number.
    const number = spec.dtype === "int32" ? undefined : uniform(value);
    if (number !== undefined) {
      this.#floats.fill(number, address / 4, address / 4 + value.size);
      return;
    }
    const data = contiguous(value);
    if (spec.dtype === "int32" && data.some((n) => Math.abs(n) > LARGEST_INTEGER))
      throw new OpError("wasm", `whole numbers up to ${LARGEST_INTEGER}`, "a larger one", "use device cpu");
    this.#floats.set(data, address / 4);
  }
  #read({ address, spec }: Transfer): Concrete {
    const size = sizeOf(spec.shape);
    const floats = this.#floats.subarray(address / 4, address / 4 + size);
    const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };
    const data = new arrays[spec.dtype as keyof typeof arrays](floats); // float64 was refused
    return fromData(data, spec.shape, spec.dtype);
  }
  /** The value where it lies, without a copy if floats are what it is: good until the memory is used again. */
  #look(transfer: Transfer): Concrete {
    const { shape, dtype } = transfer.spec;
    if (dtype !== "float32") return this.#read(transfer);
    const start = transfer.address / 4;
    return fromData(this.#floats.subarray(start, start + sizeOf(shape)), shape);
  }
  #hostCall({ params, inputs, outputs }: HostPlan): void {
    const given = inputs.map((transfer) => this.#look(transfer));
    const specs = outputs.map(({ spec }) => spec);
    for (const [i, result] of hostCall.evaluate(given, params, specs, allocate).entries())
      this.#write(outputs[i]!, concrete(result, "hostCall"));
  }
}

function requireFloat32({ before, program }: Hoisted): void {
  const isDouble = (t: Tensor): boolean => t.dtype === "float64";
  const hasDouble = ({ inputs, outputs }: Equation): boolean => inputs.some(isDouble) || outputs.some(isDouble);
  const given = [...program.inputs, ...program.variables.values()];
  if (given.some(isDouble) || before.some(hasDouble) || program.equations.some(hasDouble))
    throw new OpError("wasm", "float32, int32 and bool", "float64", "device cpu computes in float64");
}

function cores(): number {
  const { navigator, process } = globalThis as unknown as {
    readonly navigator?: { readonly hardwareConcurrency?: number };
    readonly process?: { getBuiltinModule?(name: "node:os"): { availableParallelism(): number } };
  };
  return process?.getBuiltinModule?.("node:os").availableParallelism() ?? navigator?.hardwareConcurrency ?? 1;
}
