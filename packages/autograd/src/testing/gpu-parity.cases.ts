// Every case of every primitive and composed op on a gpu device against the reference, for the tests of any mode in Node and in
// a browser.
import { bind, compile, createGpu, type ParamsOf, sum, type Tensor } from "@orepa/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../grad.ts";
import { composedCases } from "./composed-cases.ts";
import { type GpuTestMode, nonFinite, tolerance } from "./gpu-accuracy.cases.ts";
import { sampleFunctions } from "./sample-functions.ts";
import { singleSamples as samples, single } from "./single.cases.ts";

const largest = (t: Tensor): number =>
  Math.max(0, ...Array.from(t.toTypedArray()).filter(Number.isFinite).map(Math.abs));

/** Tests that the device of a mode computes what the reference does. */
export const describeParity = (mode: GpuTestMode) =>
  describe(mode, () => {
    const device = createGpu(mode);
    afterAll(() => device.dispose());

    /** Runs on the reference in float32 and on the device, and looks that every buffer was given back. */
    async function expectParity(
      fn: (...x: Tensor[]) => Tensor[],
      inputs: readonly Tensor[],
      limit: number,
      { together = false } = {},
    ) {
      const x = inputs.map(single);
      const record = (...t: Tensor[]) => Object.fromEntries(fn(...t).map((y, i) => [`y${i}`, y]));
      const wanted = Object.values(await compile(record)(...x));
      const compiled = compile(record, { device });
      const found = Object.values(await compiled(...x));
      /** What cancels in a composed op's gradient is as large as its values. */
      const least = together ? Math.max(...wanted.map(largest)) : 0;
      for (const [i, y] of wanted.entries()) {
        const z = found[i]!;
        expect({ shape: z.shape, dtype: z.dtype }).toEqual({ shape: y.shape, dtype: y.dtype });
        const values = Array.from(y.toTypedArray());
        const scale = Math.max(least, largest(y));
        for (const [k, v] of Array.from(z.toTypedArray()).entries()) {
          const w = values[k]!;
          if (Object.is(v + 0, w + 0)) continue;
          if (!Number.isFinite(w) && !nonFinite(mode)) continue;
          expect(Math.abs(v - w), `output ${i}, element ${k}: ${v} for ${w}`).toBeLessThanOrEqual(limit * scale);
        }
      }
      compiled.dispose();
      await device.open(); // what was asked for before is done then
      expect(device.usage).toMatchObject({ handles: 0, bytes: 0 });
    }
    test.each(samples)("$name, $about", async ({ name, c }) => {
      const run = (...x: Tensor[]) => bind(name, x, c.params as ParamsOf<typeof name>);
      await expectParity(run, c.inputs, tolerance(name, mode));
    });
    const smooth = samples.filter(({ c }) => c.gradients.length > 0);
    test.each(smooth)("$name, $about: gradients", async ({ name, c }) => {
      const { x, functions } = sampleFunctions(name as "slice", c);
      for (const fn of functions)
        await expectParity(
          (...moved) => [...grad(() => sum(fn(...moved)), moved).values()],
          x,
          tolerance(name, mode, 1e-5),
        );
    });
    const composed = Object.entries(composedCases).flatMap(([name, list]) =>
      list.map((c) => ({ name, about: c.about, c })),
    );
    test.each(composed)("$name, $about", async ({ c }) => {
      await expectParity((...x) => [c.fn(...x), ...grad(() => sum(c.fn(...x)), x).values()], c.inputs, 1e-5, {
        together: true,
      });
    });
  });
