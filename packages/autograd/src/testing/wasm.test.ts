// Every case of every primitive and composed op on the wasm device, with one and with two threads, against the reference.
import { add, bind, compile, createWasm, mul, type ParamsOf, primitives, sum, type Tensor } from "@orepa/tensor";
import { describe, expect, inject, test } from "vitest";
import { grad } from "../grad.ts";
import { composedCases } from "./composed-cases.ts";
import { sampleFunctions } from "./sample-functions.ts";
import { singleSamples as samples, single } from "./single.cases.ts";

const one = createWasm({ threads: 1 });
const two = createWasm({ threads: 2, worker: new URL(inject("worker")) });

/** Runs on the reference in float32 and on wasm; both thread counts must agree to the last bit. */
async function expectParity(fn: (...x: Tensor[]) => Tensor[], inputs: readonly Tensor[], tolerance: number) {
  const x = inputs.map(single);
  const record = (...t: Tensor[]) => Object.fromEntries(fn(...t).map((y, i) => [`y${i}`, y]));
  const wanted = Object.values(await compile(record)(...x));
  using serial = compile(record, { device: one });
  using parallel = compile(record, { device: two });
  const found = Object.values(await serial(...x));
  const again = Object.values(await parallel(...x));
  for (const [i, y] of wanted.entries()) {
    const z = found[i]!;
    expect({ shape: z.shape, dtype: z.dtype }).toEqual({ shape: y.shape, dtype: y.dtype });
    expect(again[i]!.toTypedArray()).toEqual(z.toTypedArray());
    const values = Array.from(y.toTypedArray());
    const scale = Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));
    for (const [k, v] of Array.from(z.toTypedArray()).entries()) {
      const w = values[k]!;
      if (Object.is(v + 0, w + 0)) continue;
      expect(Math.abs(v - w), `output ${i}, element ${k}: ${v} for ${w}`).toBeLessThanOrEqual(tolerance * scale);
    }
  }
}

describe("wasm", () => {
  test.each(samples)("$name, $about", async ({ name, c }) => {
    const run = (...x: Tensor[]) => bind(name, x, c.params as ParamsOf<typeof name>);
    await expectParity(run, c.inputs, primitives[name].kind === "view" ? 0 : 2e-6);
  });
  const smooth = samples.filter(({ c }) => c.gradients.length > 0);
  test.each(smooth)("$name, $about: gradients", async ({ name, c }) => {
    const { x, functions } = sampleFunctions(name as "slice", c);
    for (const fn of functions)
      await expectParity((...moved) => [...grad(() => sum(fn(...moved)), moved).values()], x, 1e-5);
  });
  /** The gradients of the sum of the squares of the gradients of a sum. */
  const second = (fn: (...x: Tensor[]) => Tensor, x: readonly Tensor[]): Tensor[] => {
    const total = () =>
      [...grad(() => sum(fn(...x)), x).values()].map((g) => sum(mul(g, g))).reduce((a, b) => add(a, b));
    return [...grad(total, x).values()];
  };
  test.each(smooth)("$name, $about: gradients of order 2", async ({ name, c }) => {
    const { x, functions } = sampleFunctions(name as "slice", c);
    for (const fn of functions) await expectParity((...moved) => second(fn, moved), x, 1e-5);
  });
  const composed = Object.entries(composedCases).flatMap(([name, list]) =>
    list.map((c) => ({ name, about: c.about, c })),
  );
  test.each(composed)("$name, $about", async ({ c }) => {
    await expectParity((...x) => [c.fn(...x), ...grad(() => sum(c.fn(...x)), x).values()], c.inputs, 1e-5);
  });
  test.each(composed)("$name, $about: gradients of order 2", async ({ c }) => {
    await expectParity((...x) => second(c.fn, x), c.inputs, 1e-5);
  });
});
