import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WorkerError } from "../../../errors.ts";
import { assemble, define, integers as ints } from "../assembler.ts";
import { Heap } from "../heap.ts";
import { makeMemory } from "../memory.ts";
import { load, op } from "../values.ts";
import { type Bundle, bundle } from "./bundle.cases.ts";
import { Pool } from "./pool.ts";
import { type TestStep, testRun, testSteps } from "./steps.cases.ts";

/** Bytes for the marks of all threads, twice. */
const MARKS = 1024;
const kernels = (shared: boolean) =>
  assemble(
    {
      // The word behind the argument becomes twice the argument.
      double: define(ints("args"), (f, { args }) => {
        f.store("i32.store", args, op("i32.mul", load("i32.load", args), 2), 4);
      }),
    },
    { shared },
  );

let worker: Bundle;
beforeAll(async () => {
  worker = await bundle(new URL("./steps.cases.ts", import.meta.url));
});
afterAll(() => worker.remove());
const pools: Pool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.dispose()));
});

async function setUp({ threads = 2, shared = true, patience = 60_000 } = {}) {
  const memory = makeMemory({ shared, maximumBytes: 2 ** 26 });
  const heap = new Heap(memory.buffer.byteLength);
  const program = { url: worker.url, run: testRun };
  const pool = new Pool({ memory, heap, threads, scratchBytes: 64, patience, program });
  pools.push(pool);
  await pool.start();
  const load = (steps: readonly TestStep[], barrierBefore = steps.map(() => true)) =>
    pool.load({ steps: testSteps(steps), barrierBefore, kernels: kernels(shared) });
  return { pool, heap, load, integers: new Int32Array(memory.buffer), floats: new Float32Array(memory.buffer) };
}
const error = (act: () => void): Error => {
  try {
    act();
  } catch (thrown) {
    return thrown as Error;
  }
  throw new Error("expected an error, got none");
};

const settings = [
  { threads: 1, shared: false },
  { threads: 1, shared: true },
  { threads: 2, shared: true },
  { threads: 3, shared: true },
  { threads: 4, shared: true },
];
describe.each(settings)("$threads thread(s), shared memory: $shared", (setting) => {
  const turns = setting.threads > 2 ? 500 : 20_000; // more threads than cores take turns on them
  test("no thread passes a barrier before all have come", async () => {
    const { pool, heap, load } = await setUp(setting);
    const address = heap.allocate(MARKS);
    const steps = Array.from({ length: turns }, (_, i): TestStep => {
      const turn = i >> 1;
      return { op: i % 2 === 0 ? "mark" : "check", address: address + (turn % 2) * (MARKS / 2), turn };
    });
    const id = load(steps);
    const before = performance.now();
    pool.run(id);
    const each = ((performance.now() - before) * 1e3) / turns;
    console.info(`${setting.threads} threads: ${each.toFixed(2)} us per barrier`);
  });
  test("every thread runs fused kernels on its own arguments", async () => {
    const { pool, heap, load, integers } = await setUp(setting);
    const id = load([{ op: "fused", kernel: "double" }]);
    pool.run(id);
    // The pieces of all threads lie between the control block and what is allocated next.
    const words = [...integers.subarray(0, heap.allocate(4) / 4)];
    for (let t = 1; t <= setting.threads; t++) {
      expect(words.some((word, i) => word === t && words[i + 1] === 2 * t)).toBe(true);
    }
  });
  test("serial steps and host calls are the first thread's", async () => {
    const { pool, heap, load, integers } = await setUp(setting);
    const address = heap.allocate(MARKS);
    const calls: number[] = [];
    const id = load([
      { op: "mark", address, turn: 7, serial: true },
      { op: "host", call: 3, serial: true },
    ]);
    pool.run(id, { host: (call) => calls.push(call) });
    pool.run(id, { host: (call) => calls.push(call), from: 1 });
    expect(calls).toEqual([3, 3]);
    expect([...integers.subarray(address / 4, address / 4 + 17)]).toEqual([7, ...new Array(16).fill(0)]);
  });
  test("numbers of steps arrive as they are", async () => {
    const { pool, heap, load, floats } = await setUp(setting);
    const values = [1.5, -0, Infinity, -Infinity, NaN];
    const address = heap.allocate(MARKS);
    pool.run(load([{ op: "store", address, values }]));
    const all = Array.from({ length: setting.threads }, () => values).flat();
    expect([...floats.subarray(address / 4, address / 4 + all.length)]).toEqual(all);
  });
  test("programs are released and the pool goes on; all memory comes back", async () => {
    const { pool, heap, load } = await setUp(setting);
    const before = heap.used;
    const ids = [1, 2].map((turn) => load([{ op: "mark", address: 2 ** 20, turn }]));
    pool.release(ids[0]!);
    pool.run(ids[1]!);
    expect(heap.used).toBe(before);
    await pool.dispose();
    pools.pop();
    expect(heap.used).toBe(0);
    expect(() => pool.run(ids[1]!)).toThrow("wasm: expected a device in use, got one that was disposed of");
  });
});

describe("a step that throws", () => {
  test.each([0, 1, 2])("in thread %i ends the run in all threads, and the pool runs on", async (thread) => {
    const { pool, heap, load, integers } = await setUp({ threads: 3 });
    const address = heap.allocate(MARKS);
    const mark = (turn: number): TestStep => ({ op: "mark", address, turn });
    const bad = load([mark(1), { op: "throw", thread }, mark(2)]);
    const good = load([mark(3), { op: "check", address, turn: 3 }]);
    for (let i = 0; i < 50; i++) {
      const thrown = error(() => pool.run(bad));
      expect(thrown.message).toContain("the step is wrong");
      if (thread > 0) {
        expect(thrown).toMatchObject({ op: "wasm", expected: "every step to run", got: "the step is wrong" });
        expect(thrown.message).toContain(`thread ${thread}, step 1`);
      }
      expect(integers[address / 4]).toBe(1);
      pool.run(good);
      expect(integers[address / 4]).toBe(3);
    }
  });
  test("in all threads is one error", async () => {
    const { pool, load } = await setUp({ threads: 3 });
    const id = load([{ op: "throw" }]);
    for (let i = 0; i < 50; i++) expect(error(() => pool.run(id)).message).toBe("the step is wrong");
  });
  test("while another thread hangs is given up after the patience", async () => {
    const { pool, load } = await setUp({ patience: 200 });
    const id = load(
      [
        { op: "hang", thread: 1 },
        { op: "throw", thread: 0 },
      ],
      [true, false],
    );
    expect(error(() => pool.run(id))).toMatchObject({
      name: "WorkerError",
      got: "none from thread 1 (step 0) for 0.2 s",
    });
    expect(error(() => pool.run(id))).toBeInstanceOf(WorkerError);
  });
});

describe("a thread that gives no answer", () => {
  const expected = "an answer from every worker thread";
  test("because it hangs is given up after the patience", async () => {
    const { pool, load } = await setUp({ patience: 200 });
    const id = load([{ op: "hang", thread: 1 }]);
    const silence = { name: "WorkerError", expected, got: "none from thread 1 (step 0) for 0.2 s" };
    expect(error(() => pool.run(id))).toMatchObject(silence);
    expect(error(() => pool.run(id))).toMatchObject(silence);
  });
  test.each([2, 3])("because it ended is given up at once, one of %i", async (threads) => {
    const { pool, load } = await setUp({ threads });
    const id = load([
      { op: "fused", kernel: "double" },
      { op: "end", thread: 1 },
    ]);
    const before = performance.now();
    const loss = { name: "WorkerError", expected, got: "none from thread 1 (step 1)" };
    expect(error(() => pool.run(id))).toMatchObject(loss);
    expect(performance.now() - before).toBeLessThan(10_000); // of a patience of a minute
    expect(error(() => pool.run(id))).toMatchObject(loss);
  });
});

describe("what keeps a pool to one thread", () => {
  test("is memory that is not shared, and it is said", async () => {
    const { pool } = await setUp({ threads: 2, shared: false });
    expect(pool).toMatchObject({ threads: 1, note: "one thread instead of 2: the memory is not shared" });
  });
  test("is a platform where the main thread cannot wait, and it is said", async () => {
    const { wait } = Atomics;
    Atomics.wait = () => {
      throw new TypeError("Atomics.wait cannot be called in this context");
    };
    try {
      const { pool } = await setUp({ threads: 2 });
      expect(pool.threads).toBe(1);
      expect(pool.note).toContain("the main thread of a page cannot wait");
    } finally {
      Atomics.wait = wait;
    }
  });
});

test("a worker that cannot start is an error that names the reason", async () => {
  const memory = makeMemory({ shared: true, maximumBytes: 2 ** 26 });
  const program = { url: new URL("./absent.mjs", worker.url), run: testRun };
  const pool = new Pool({ memory, heap: new Heap(memory.buffer.byteLength), threads: 2, program });
  await expect(pool.start()).rejects.toThrow(/wasm: expected worker threads at work, got .*absent/);
});

test("disposing twice is harmless", async () => {
  const { pool } = await setUp();
  await pool.dispose();
  await pool.dispose();
});

describe("a process that has started threads", () => {
  let script: Bundle;
  beforeAll(async () => {
    script = await bundle(new URL("./exit.cases.ts", import.meta.url));
  });
  afterAll(() => script.remove());
  test.each(["forget", "dispose", "throw", "hang"])("ends by itself after '%s'", async (way) => {
    const child = promisify(execFile)(process.execPath, [fileURLToPath(script.url), worker.url.href, way]);
    expect((await child).stdout).toBe("done\n");
  });
});
