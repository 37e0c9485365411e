// What the machine can do: multiply-adds on four lanes in registers alone, twelve chains that do not wait for each other,
// on one thread or on several at once. Other timings are read as a part of this.
import { OpError } from "../../errors.ts";
import { assemble, define, integers } from "./assembler.ts";
import { f32x4, load, op } from "./values.ts";
import { WebAssembly } from "./web-assembly.ts";

const CHAINS = 12;
const UNROLL = 8;
const LANES = 4;
const TURNS = 20_000;
/** Floating-point operations of one call of the loop. */
export const LIMIT_FLOP = TURNS * UNROLL * CHAINS * LANES * 2;
/** Calls before the first measurement: the engine's second compiler takes over meanwhile. */
const WARM_CALLS = 20;

const limit = define(integers("at", "turns"), (f, { at, turns }) => {
  const chains = f.locals("v128", CHAINS);
  const factor = f.local("v128");
  f.set(factor, load("v128.load", at));
  f.countdown(turns, () => {
    for (let u = 0; u < UNROLL; u++)
      for (const chain of chains) f.set(chain, op("f32x4.add", op("f32x4.mul", factor, chain), f32x4(1)));
  });
  for (const [i, chain] of chains.entries()) f.store("v128.store", at, chain, 16 * (i + 1));
});

/**
 * This thread's loop: runs it so many times and returns GFLOP/s.
 * @throws Error if it computed something else: x = x / 2 + 1 tends to 2.
 */
export function limitLoop(): (calls: number) => number {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: false });
  const module = new WebAssembly.Module(assemble({ limit }));
  const { limit: run } = new WebAssembly.Instance(module, { host: { memory } }).exports;
  const floats = new Float32Array(memory.buffer);
  return (calls) => {
    floats.fill(0.5, 0, LANES);
    const start = performance.now();
    for (let i = 0; i < calls; i++) run!(0, TURNS);
    const seconds = (performance.now() - start) / 1e3;
    const chains = floats.subarray(LANES, LANES * (CHAINS + 1));
    if (chains.some((x) => x !== 2)) throw new Error(`limit: expected chains of 2, got ${chains.join(" ")}`);
    return (calls * LIMIT_FLOP) / seconds / 1e9;
  };
}

/** The same loop in a worker thread, which gets its module's bytes and answers a number of calls with GFLOP/s. */
const workerSource = `
const { parentPort, workerData } = require("node:worker_threads");
const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const { limit } = new WebAssembly.Instance(new WebAssembly.Module(workerData.bytes), { host: { memory } }).exports;
new Float32Array(memory.buffer).fill(0.5, 0, ${LANES});
parentPort.on("message", (calls) => {
  const start = performance.now();
  for (let i = 0; i < calls; i++) limit(0, ${TURNS});
  parentPort.postMessage((calls * ${LIMIT_FLOP}) / (performance.now() - start) / 1e6);
});`;

interface Worker {
  postMessage(value: number): void;
  once(event: "message", listener: (value: number) => void): void;
  terminate(): Promise<number>;
}
interface WorkerThreads {
  readonly Worker: new (source: string, options: { eval: true; workerData: { bytes: Uint8Array } }) => Worker;
}
interface Process {
  getBuiltinModule?(name: "node:worker_threads"): WorkerThreads;
}

/** The machine's limit on a number of threads. */
export interface Limit {
  /** GFLOP/s of all threads together, over about `milliseconds`. */
  measure(milliseconds?: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * The loop on `threads` threads, this one included; the others sleep between measurements.
 * @throws OpError for more than one thread where there are no worker threads.
 */
export async function openLimit(threads: number): Promise<Limit> {
  const { process } = globalThis as unknown as { process?: Process };
  const node = process?.getBuiltinModule?.("node:worker_threads");
  if (threads > 1 && node === undefined)
    throw new OpError("limit", "one thread where there are no worker threads", `${threads}`);
  const bytes = assemble({ limit });
  const own = limitLoop();
  const others = Array.from(
    { length: threads - 1 },
    () => new node!.Worker(workerSource, { eval: true, workerData: { bytes } }),
  );
  const all = async (calls: number): Promise<number> => {
    const answers = others.map(
      (worker) =>
        new Promise<number>((resolve) => {
          worker.once("message", resolve);
          worker.postMessage(calls);
        }),
    );
    const first = own(calls);
    return (await Promise.all(answers)).reduce((sum, rate) => sum + rate, first);
  };
  for (let i = 0; i < WARM_CALLS; i++) await all(1);
  return {
    measure: async (milliseconds = 50) => {
      const perThread = (await all(1)) / threads;
      return all(Math.max(1, Math.round((milliseconds * perThread * 1e6) / LIMIT_FLOP)));
    },
    close: async () => {
      for (const worker of others) await worker.terminate();
    },
  };
}
