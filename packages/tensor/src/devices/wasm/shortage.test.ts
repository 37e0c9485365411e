// What happens where memory is short: planning says so before anything runs, and older programs make room.
import { expect, test } from "vitest";
import { compile } from "../../compile.ts";
import { arange, zeros } from "../../creation.ts";
import { MemoryError } from "../../errors.ts";
import { add, exp, mul } from "../../ops/pointwise.ts";
import { sum } from "../../ops/reduce.ts";
import type { Tensor } from "../../tensor.ts";
import { Variable } from "../../variable.ts";
import { createWasm } from "./device.ts";

const MIB = 2 ** 20;
const device = () => createWasm({ threads: 1, maximumBytes: 8 * MIB });
const thrown = (act: () => void): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
};

test("a program that would not fit says so when it is prepared, and a smaller one still runs", async () => {
  let traced = 0;
  const f = compile(
    (x: Tensor) => {
      traced++;
      return sum(exp(x));
    },
    { device: device() },
  );
  const error = thrown(() => f.prepare({ shape: [4 * MIB], dtype: "float32" }));
  expect(error).toBeInstanceOf(MemoryError);
  const { needed, available, message } = error as MemoryError;
  expect(needed).toBeGreaterThanOrEqual(16 * MIB);
  expect(available).toBeLessThan(8 * MIB);
  expect(available).toBeGreaterThan(4 * MIB);
  expect(message).toMatch(/^wasm memory: expected at most \d MiB for a program, got 33 MiB \(/);
  f.prepare({ shape: [4], dtype: "float32" });
  expect(f.signatures).toEqual(["[4] float32"]);
  expect((await f(zeros([4], { dtype: "float32" }))).item()).toBe(4);
  expect(traced).toBe(2);
  expect(f.report().planned!.available).toBe(available);
});

test("programs of other shapes make room for the one that is needed, and are compiled again", async () => {
  const f = compile((x: Tensor) => add(x, arange(0, x.size, { dtype: "float32" })), { device: device() });
  // Every program keeps a constant of 1 MiB or more.
  const shapes = [0, 1, 2, 3, 4, 0].map((i) => MIB / 4 + 64 * i);
  for (const n of shapes) {
    const y = await f(zeros([n], { dtype: "float32" }));
    expect([y.toTypedArray()[0], y.toTypedArray()[n - 1]]).toEqual([0, n - 1]);
  }
  expect(f.signatures.length).toBeLessThan(5);
});

test("what a failed plan had taken is free again", async () => {
  const own = device();
  const weight = new Variable(zeros([MIB / 4], { dtype: "float32" }));
  const f = compile((x: Tensor) => sum(mul(add(x, arange(0, MIB / 2, { dtype: "float32" })), weight.value)), {
    device: own,
  });
  for (let i = 0; i < 20; i++) expect(thrown(() => f.prepare({ shape: [8, 1], dtype: "float32" }))).toBeDefined();
  const g = compile((x: Tensor) => sum(add(x, weight.value)), { device: own });
  expect((await g(zeros([], { dtype: "float32" }))).item()).toBe(0);
});
