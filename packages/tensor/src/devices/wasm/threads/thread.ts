// What every thread runs, the first one too: it keeps the programs, and obeys one command after the other.
import { instantiateKernels, type Kernels } from "../runtime.ts";
import type { Machine } from "../steps/machine.ts";
import type { runStep, Step } from "../steps/table.ts";
import { type WasmMemory, WebAssembly } from "../web-assembly.ts";
import { type Command, Control, Left } from "./control.ts";
import { decodeSteps } from "./wire.ts";

/** All that a thread begins with: the memory, and where its own parts of it lie. */
export interface Order {
  readonly memory: WasmMemory;
  readonly wide: boolean;
  readonly control: number;
  readonly thread: number;
  readonly threads: number;
  readonly patience: number;
  readonly args: number;
  readonly scratch: number;
}
export const commands = { load: 0, run: 1, release: 2 } as const;
export type RunStep = typeof runStep;
export type Host = (call: number) => void;

declare const performance: { now(): number };
interface Loaded {
  readonly steps: readonly Step[];
  readonly barrierBefore: readonly boolean[];
  readonly fused: Machine["fused"];
}

export class Thread {
  readonly control: Control;
  readonly #order: Order;
  readonly #run: RunStep;
  readonly #kernels: Kernels;
  readonly #floats: Float32Array;
  readonly #integers: Int32Array;
  readonly #programs = new Map<number, Loaded>();

  constructor(order: Order, run: RunStep) {
    const { buffer } = order.memory;
    this.control = new Control(buffer, order.control, order);
    this.#order = order;
    this.#run = run;
    this.#kernels = instantiateKernels(order.memory, order.wide);
    this.#floats = new Float32Array(buffer);
    this.#integers = new Int32Array(buffer);
  }
  /** Does a command; returns when every thread has done it. @throws what a step throws, or Left if another thread failed. */
  obey([kind, id, a, b, c]: Command, host?: Host, timings?: Float64Array): void {
    try {
      if (kind === commands.load) this.#load(id, { at: a, textBytes: b, kernelBytes: c });
      else if (kind === commands.release) this.#programs.delete(id);
      else this.#walk(this.#programs.get(id)!, a, host, timings);
      this.control.barrier();
    } catch (error) {
      if (!(error instanceof Left)) this.control.fail(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
  #load(id: number, { at, textBytes, kernelBytes }: { at: number; textBytes: number; kernelBytes: number }): void {
    const { memory } = this.#order;
    // A copy: neither text nor modules are taken from shared memory on every platform.
    const bytes = new Uint8Array(memory.buffer, at, textBytes + kernelBytes).slice();
    const module = new WebAssembly.Module(bytes.subarray(textBytes));
    const { exports } = new WebAssembly.Instance(module, { host: { memory } });
    this.#programs.set(id, { ...decodeSteps(bytes.subarray(0, textBytes)), fused: exports as Machine["fused"] });
  }
  #walk({ steps, barrierBefore, fused }: Loaded, from: number, host?: Host, timings?: Float64Array): void {
    const { thread, threads, args, scratch } = this.#order;
    const machine: Machine = {
      ...{ floats: this.#floats, integers: this.#integers, kernels: this.#kernels, fused },
      ...{ args, scratch, thread, threads },
    };
    const alone: Machine = { ...machine, threads: 1, ...(host && { host }) };
    let since = timings ? performance.now() : 0;
    for (let i = from; i < steps.length; i++) {
      if (barrierBefore[i] && i > from) this.control.barrier();
      if (timings && i > from) {
        // A step's time ends when all threads that must have done it have.
        const now = performance.now();
        timings[i - 1]! += now - since;
        since = now;
      }
      this.control.beat(i);
      const step = steps[i]!;
      if (!step.serial) this.#run(step, machine);
      else if (thread === 0) this.#run(step, alone);
    }
    if (timings) timings[steps.length - 1]! += performance.now() - since;
  }
}
