import fc from "fast-check";
import { expect, test } from "vitest";
import { Heap } from "./heap.ts";
import { makeMemory } from "./memory.ts";
import { WebAssembly } from "./web-assembly.ts";

const MIB = 2 ** 20;

test("pieces never overlap, and everything freed is one gap again", () => {
  const actions = fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 5000 }), free: fc.nat(20) }), {
    maxLength: 80,
  });
  fc.assert(
    fc.property(actions, (list) => {
      const heap = new Heap(MIB);
      const pieces: { at: number; bytes: number }[] = [];
      for (const { bytes, free } of list) {
        const at = heap.allocate(bytes);
        expect(at % 64).toBe(0);
        expect(at).toBeGreaterThan(0);
        for (const other of pieces) expect(at + bytes <= other.at || other.at + other.bytes <= at).toBe(true);
        pieces.push({ at, bytes });
        const victim = pieces[free];
        if (!victim) continue;
        heap.free(victim.at);
        pieces.splice(free, 1);
      }
      for (const { at } of pieces) heap.free(at);
      expect(heap.used).toBe(0);
      const all = MIB - 65536 - 64;
      expect(heap.allocate(all)).toBe(64);
    }),
  );
});

test("the lowest gap that is large enough is taken", () => {
  const heap = new Heap(MIB);
  const [a, , c] = [heap.allocate(256), heap.allocate(64), heap.allocate(128), heap.allocate(64)];
  heap.free(a);
  heap.free(c!);
  expect(heap.allocate(128)).toBe(a);
  expect(heap.allocate(256)).toBeGreaterThan(c!);
  expect(heap.allocate(128)).toBe(a + 128);
});

test("arenas share the top end, and what lives long stays out of the largest one that is open", () => {
  const heap = new Heap(4 * MIB);
  const small = heap.openArena(MIB);
  const large = heap.openArena(2 * MIB);
  expect(small - large).toBe(MIB);
  expect(large + 2 * MIB).toBeLessThan(4 * MIB);
  expect(() => heap.allocate(2 * MIB)).toThrow(
    "wasm memory: expected at most 1 MiB for Variables and constants, got 3 MiB (dispose of",
  );
  heap.closeArena(2 * MIB);
  const at = heap.allocate(2 * MIB);
  expect(() => heap.openArena(2 * MIB)).toThrow("wasm memory: expected at most 1 MiB for a program, got 2 MiB");
  heap.free(at);
  expect(heap.openArena(2 * MIB)).toBe(large);
});

test("freeing what is not in use is an error", () => {
  const heap = new Heap(MIB);
  const at = heap.allocate(1);
  heap.free(at);
  expect(() => heap.free(at)).toThrow("wasm memory: expected the address of a piece in use, got 64");
  expect(() => heap.closeArena(64)).toThrow("wasm memory: expected the bytes of an open arena, got 64");
});

test.each([false, true])("four GiB of addresses take no memory until they are used (shared: %s)", (shared) => {
  const before = process.memoryUsage().rss;
  const memory = makeMemory({ shared });
  expect(memory.buffer.byteLength).toBe(4 * 1024 * MIB);
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB);
});

test("where fewer addresses can be had, less is taken, down to a limit", () => {
  const { Memory } = WebAssembly;
  const most = (pages: number) => {
    WebAssembly.Memory = class {
      readonly buffer = new ArrayBuffer(0);
      constructor({ initial }: { initial: number }) {
        asked.push(initial);
        if (initial > pages) throw new RangeError("out of addresses");
      }
    };
  };
  const asked: number[] = [];
  try {
    most(20_000);
    makeMemory({ shared: false });
    expect(asked).toEqual([65536, 32768, 16384]);
    most(10_000);
    expect(() => makeMemory({ shared: false })).toThrow(
      "wasm memory: expected 16384 pages of addresses, got out of addresses (set a smaller maximum)",
    );
  } finally {
    WebAssembly.Memory = Memory;
  }
  expect(() => makeMemory({ shared: false, maximumBytes: 1 })).toThrow("wasm memory: expected between");
});
