// What the machine can do: multiply-adds on vectors in registers alone, in chains that do not wait for each other, on one
// thread or on several at once. Other timings are read as a part of this.
import { OpError } from "../../errors.ts";
import { assemble, define, integers } from "./assembler.ts";
import { load, op } from "./values.ts";
import { WebAssembly } from "./web-assembly.ts";

const UNROLL = 8;
const LANES = 4;
/** Multiply-adds of one vector in a call. */
const STEPS = 1_920_000;
/** Floating-point operations of one call of a loop. */
export const LIMIT_FLOP = STEPS * LANES * 2;
/** Calls before the first measurement: the engine's second compiler takes over meanwhile. */
const WARM_CALLS = 20;

/** x = x / 2 + 1 in every chain. The chains lie side by side in memory: an engine with wide vectors makes one of two. */
const chainsOf = (count: number) =>
  define(integers("at", "turns"), (f, { at, turns }) => {
    const chains = f.locals("v128", count);
    // From memory: engines write constants into registers again at every use.
    const [factor, term] = f.locals("v128", 2);
    for (const [i, local] of [factor, term].entries()) f.set(local, load("v128.load32_splat", at, 4 * i));
    f.countdown(turns, () => {
      for (let u = 0; u < UNROLL; u++)
        for (const chain of chains) f.set(chain, op("f32x4.add", op("f32x4.mul", factor, chain), term));
    });
    for (const [i, chain] of chains.entries()) f.store("v128.store", at, chain, 16 * (i + 1));
  });
/** As many chains as keep the units of 128 bits or those of 256 bits at work, and fit into their registers. */
const CHAINS = { narrow: 12, wide: 24 } as const;
type Name = keyof typeof CHAINS;
const loops = { narrow: chainsOf(CHAINS.narrow), wide: chainsOf(CHAINS.wide) };
const turnsOf = (name: Name): number => STEPS / UNROLL / CHAINS[name];

/**
 * A loop on this thread: runs it so many times and returns GFLOP/s.
 * @throws Error if it computed something else: the chains tend to 2.
 */
export function limitLoop(name: Name = "narrow"): (calls: number) => number {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: false });
  const module = new WebAssembly.Module(assemble(loops));
  const run = new WebAssembly.Instance(module, { host: { memory } }).exports[name]!;
  const floats = new Float32Array(memory.buffer);
  floats.set([0.5, 1]);
  return (calls) => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) run(0, turnsOf(name));
    const seconds = (performance.now() - start) / 1e3;
    const chains = floats.subarray(LANES, LANES * (CHAINS[name] + 1));
    if (chains.some((x) => x !== 2)) throw new Error(`limit: expected chains of 2, got ${chains.join(" ")}`);
    return (calls * LIMIT_FLOP) / seconds / 1e9;
  };
}

/** The same loops in a worker thread, which gets their module's bytes and answers a request with GFLOP/s. */
const workerSource = `
const { parentPort, workerData } = require("node:worker_threads");
const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(workerData.bytes), { host: { memory } });
new Float32Array(memory.buffer).set([0.5, 1]);
parentPort.on("message", ({ name, turns, calls }) => {
  const start = performance.now();
  for (let i = 0; i < calls; i++) exports[name](0, turns);
  parentPort.postMessage((calls * ${LIMIT_FLOP}) / (performance.now() - start) / 1e6);
});`;

interface Worker {
  postMessage(request: { name: Name; turns: number; calls: number }): void;
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
  /** GFLOP/s of all threads together in the loop that suits the engine's vectors, over about `milliseconds`. */
  measure(milliseconds?: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * The loops on `threads` threads, this one included; the others sleep between measurements.
 * @throws OpError for more than one thread where there are no worker threads.
 */
export async function openLimit(threads: number): Promise<Limit> {
  const { process } = globalThis as unknown as { process?: Process };
  const node = process?.getBuiltinModule?.("node:worker_threads");
  if (threads > 1 && node === undefined)
    throw new OpError("limit", "one thread where there are no worker threads", `${threads}`);
  const bytes = assemble(loops);
  const own = { narrow: limitLoop("narrow"), wide: limitLoop("wide") };
  const others = Array.from(
    { length: threads - 1 },
    () => new node!.Worker(workerSource, { eval: true, workerData: { bytes } }),
  );
  const all = async (name: Name, calls: number): Promise<number> => {
    const answers = others.map(
      (worker) =>
        new Promise<number>((resolve) => {
          worker.once("message", resolve);
          worker.postMessage({ name, turns: turnsOf(name), calls });
        }),
    );
    const first = own[name](calls);
    return (await Promise.all(answers)).reduce((sum, rate) => sum + rate, first);
  };
  const during = async (name: Name, milliseconds: number): Promise<number> => {
    const perThread = (await all(name, 1)) / threads;
    return all(name, Math.max(1, Math.round((milliseconds * perThread * 1e6) / LIMIT_FLOP)));
  };
  for (let i = 0; i < WARM_CALLS; i++) for (const name of ["narrow", "wide"] as const) await all(name, 1);
  return {
    measure: async (milliseconds = 50) =>
      Math.max(await during("narrow", milliseconds / 2), await during("wide", milliseconds / 2)),
    close: async () => {
      for (const worker of others) await worker.terminate();
    },
  };
}
