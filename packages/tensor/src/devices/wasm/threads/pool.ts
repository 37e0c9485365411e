// The threads of the device: workers that wait for commands in the shared memory, and the caller's thread, which takes
// part as the first one. With one thread there are no workers, and the code is the same.
import { OpError, WorkerError } from "../../../errors.ts";
import type { Heap } from "../heap.ts";
import { runStep } from "../steps/table.ts";
import type { WasmMemory } from "../web-assembly.ts";
import { type Command, Control, Left } from "./control.ts";
import { startWorker, type WorkerHandle, workersMissing } from "./platform.ts";
import { commands, type Host, type Order, type RunStep, Thread } from "./thread.ts";
import { encodeSteps, type ThreadProgram } from "./wire.ts";

/** Bytes per thread for the arguments of a kernel call, and for whatever a step needs while it runs. */
const ARGS_BYTES = 2048;
const SCRATCH_BYTES = 15 * 2 ** 18;
const PATIENCE = 60_000;

export interface PoolOptions {
  readonly memory: WasmMemory;
  /** Kernels for vectors of 256 bits. */
  readonly wide?: boolean;
  readonly heap: Heap;
  /** Threads that work, the caller's included; more than cores only cost. */
  readonly threads: number;
  readonly scratchBytes?: number;
  /** Milliseconds without a sign of life from any thread until a run is given up. */
  readonly patience?: number;
  /** The program that workers run, and the step function of the first thread: what both have in common. */
  readonly program?: { readonly url: URL; readonly run: RunStep };
}

export interface RunOptions {
  /** The step to begin with. */
  readonly from?: number;
  readonly host?: Host;
  /** Milliseconds per step, as the first thread sees it, are added to these. */
  readonly timings?: Float64Array;
}

export class Pool {
  /** Threads at work: fewer than asked for where there can be no workers, as `note` then says. */
  readonly threads: number;
  readonly note: string | undefined;
  readonly #memory: WasmMemory;
  readonly #heap: Heap;
  readonly #program: PoolOptions["program"];
  readonly #orders: readonly Order[];
  readonly #first: Thread;
  #workers: readonly WorkerHandle[] = [];
  #started: Promise<void> | undefined;
  #isReady = false;
  #disposed: Promise<void> | undefined;
  #broken: OpError | undefined;
  #programs = 0;

  constructor({
    memory,
    heap,
    threads,
    wide = false,
    scratchBytes = SCRATCH_BYTES,
    patience = PATIENCE,
    program,
  }: PoolOptions) {
    const missing = memory.buffer instanceof ArrayBuffer ? "the memory is not shared" : workersMissing(program?.url);
    this.note = threads > 1 && missing ? `one thread instead of ${threads}: ${missing}` : undefined;
    this.threads = missing ? 1 : threads;
    this.#memory = memory;
    this.#heap = heap;
    this.#program = program;
    const bytes = Control.bytes(this.threads);
    const control = heap.allocate(bytes);
    new Uint8Array(memory.buffer, control, bytes).fill(0);
    this.#orders = Array.from({ length: this.threads }, (_, thread) => ({
      ...{ memory, wide, control, thread, threads: this.threads, patience },
      ...{ args: heap.allocate(ARGS_BYTES), scratch: heap.allocate(scratchBytes) },
    }));
    this.#first = new Thread(this.#orders[0]!, program?.run ?? runStep);
  }
  /** Starts the workers; later calls wait for the same start. Everything else needs it done. @throws OpError if one does not start. */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }
  async #start(): Promise<void> {
    this.#workers = this.#orders.slice(1).map((order) => startWorker(order, this.#program?.url));
    for (const [i, worker] of this.#workers.entries()) worker.onLoss = (reason) => this.#lose(i + 1, reason);
    try {
      await Promise.all(this.#workers.map(({ ready }) => ready));
      this.#isReady = true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw this.#broken ?? this.#lose(undefined, reason);
    }
  }
  /** Gives a program to all threads. Returns the number to run it by. @throws OpError if the pool cannot be used. */
  load(program: ThreadProgram): number {
    const text = encodeSteps(program);
    const at = this.#heap.allocate(text.length + program.kernels.length);
    const id = this.#programs++;
    try {
      const bytes = new Uint8Array(this.#memory.buffer, at);
      bytes.set(text);
      bytes.set(program.kernels, text.length);
      this.#command([commands.load, id, at, text.length, program.kernels.length]);
      return id;
    } catch (error) {
      this.release(id);
      throw error;
    } finally {
      this.#heap.free(at);
    }
  }
  /**
   * Runs a loaded program from a step on; returns when all threads are done.
   * @throws what a step throws: the pool can be used for other runs; WorkerError if a thread gives no answer: then it cannot.
   */
  run(id: number, { from = 0, host, timings }: RunOptions = {}): void {
    this.#command([commands.run, id, from, 0, 0], host, timings);
  }
  /** Lets all threads forget a program. */
  release(id: number): void {
    if (!this.#broken) this.#command([commands.release, id, 0, 0, 0]);
  }
  /** Ends the workers and gives the memory back. */
  dispose(): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }
  async #dispose(): Promise<void> {
    this.#broken ??= new OpError("wasm", "a device in use", "one that was disposed of");
    const [{ control }] = this.#orders as [Order];
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    for (const at of [control, ...this.#orders.flatMap(({ args, scratch }) => [args, scratch])]) this.#heap.free(at);
  }
  #command(command: Command, host?: Host, timings?: Float64Array): void {
    if (this.#broken) throw this.#broken;
    if (!this.#isReady) throw new OpError("wasm", "started threads", "none", "await start() first");
    this.#first.control.post(command);
    try {
      this.#first.obey(command, host, timings);
    } catch (error) {
      throw this.#recover(error);
    }
  }
  /** Makes the threads ready for the next command. Returns what to throw for what the first thread threw. */
  #recover(error: unknown): unknown {
    try {
      if (error instanceof WorkerError) throw error;
      const { message, thread, step } = this.#first.control.recover();
      if (!(error instanceof Left)) return error;
      return new OpError("wasm", "every step to run", message, `thread ${thread}, step ${step}`);
    } catch (silence) {
      this.#broken = silence as WorkerError; // nothing else is thrown above
      this.#end();
      return silence;
    }
  }
  /** A worker has ended by itself. */
  #lose(thread: number | undefined, reason: string): OpError {
    this.#broken ??= new WorkerError(
      "wasm",
      "worker threads at work",
      `${thread === undefined ? "one that did not start" : `thread ${thread} that died`}: ${reason}`,
      "threads: 1 does without",
    );
    this.#end();
    return this.#broken;
  }
  #end(): void {
    for (const worker of this.#workers) void worker.terminate();
  }
}
