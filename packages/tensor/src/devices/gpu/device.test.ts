// The gpu device beyond single ops: Variables, hoisting, buffers given back, errors. In gpu.js's mode cpu, and on WebGPU where
// the package and an adapter are there.
import { afterEach, describe, expect, test } from "vitest";
import { bind } from "../../bind.ts";
import { compile } from "../../compile.ts";
import { full, tensor } from "../../creation.ts";
import { add, exp, mul } from "../../ops/pointwise.ts";
import { sum } from "../../ops/reduce.ts";
import { permute, reshape } from "../../ops/shape.ts";
import type { Tensor } from "../../tensor.ts";
import { Variable } from "../../variable.ts";
import { createGpu } from "./device.ts";
import { gpuStatus } from "./open.ts";

const settled = () => new Promise(setImmediate);
const optional = (await gpuStatus("gpu:webgpu")).works ? (["gpu:webgpu"] as const) : [];

describe.each(["gpu:cpu", ...optional] as const)("%s", (mode) => {
  const device = createGpu(mode);
  afterEach(() => device.dispose());
  /** A function that assigns `next` of a Variable and its input, and returns `result` of them. */
  const assigning = (v: Variable, next: (v: Tensor, x: Tensor) => Tensor, result: (v: Tensor, x: Tensor) => Tensor) =>
    compile(
      (x: Tensor) => {
        v.assign(next(v.value, x));
        return result(v.value, x);
      },
      { device },
    );

  describe("Variables", () => {
    test("stay on the device and follow assignments from both sides", async () => {
      const v = new Variable(tensor([1, 2]));
      const step = assigning(v, add, (now) => sum(now));
      expect((await step(tensor([1, 1]))).item()).toBe(5);
      expect((await step(tensor([1, 1]))).item()).toBe(7);
      expect((await v.read()).toArray()).toEqual([3, 4]);
      v.assign(tensor([10, 20]));
      expect((await step(tensor([0, 1]))).item()).toBe(31);
      expect((await v.read()).toArray()).toEqual([10, 21]);
    });
    test("are assigned at once, views of each other too", async () => {
      const a = new Variable(
        tensor([
          [0, 1],
          [2, 3],
        ]),
      );
      const b = new Variable(
        tensor([
          [4, 5],
          [6, 7],
        ]),
      );
      const swap = compile(
        (x: Tensor) => {
          const [old, flipped] = [a.value, permute(b.value, [1, 0])];
          a.assign(flipped);
          b.assign(permute(old, [1, 0]));
          return x;
        },
        { device },
      );
      await swap(tensor([0]));
      expect([await a.read(), await b.read()].map((t) => t.toTypedArray())).toEqual([
        Float32Array.of(4, 6, 5, 7),
        Float32Array.of(0, 2, 1, 3),
      ]);
    });
    test("that never change are worked on once", async () => {
      const w = new Variable(tensor([1, 2]));
      const run = compile((x: Tensor) => mul(x, reshape(exp(w.value), [2])), { device });
      await run(tensor([1, 1]));
      const before = device.usage;
      await run(tensor([2, 2]));
      expect(device.usage).toEqual(before);
      w.assign(tensor([0, 0]));
      expect((await run(tensor([3, 4]))).toArray()).toEqual([3, 4]);
    });
  });

  describe("buffers", () => {
    test("do not grow over runs and are given back with the program", async () => {
      const v = new Variable(tensor([1, 2, 3]));
      const step = assigning(v, mul, (_, x) => sum(exp(mul(x, x))));
      await step(tensor([1, 1, 1]));
      const { handles, bytes, peakBytes } = device.usage;
      for (let i = 0; i < 200; i++) await step(tensor([1, 1, 1]));
      expect(device.usage).toMatchObject({ handles, bytes, peakBytes });
      step.dispose();
      await settled();
      expect(device.usage).toMatchObject({ handles: 1, bytes: 12 });
      if (mode === "gpu:cpu") expect(device.usage.kernels).toBe(0);
    });
    test("runs called at once follow each other", async () => {
      const step = assigning(new Variable(tensor([1])), mul, (now) => now);
      const all = await Promise.all([2, 3, 4].map((x) => step(tensor([x]))));
      expect(all.map((t) => t.item())).toEqual([2, 6, 24]);
    });
    test("a failing host function leaves none behind", async () => {
      const fn = () => {
        throw new RangeError("no");
      };
      const outputs = [{ shape: [1], dtype: "float32" }] as const;
      const run = compile((x: Tensor) => bind("hostCall", [exp(x)], { fn, outputs })[0]!, { device });
      await expect(run(tensor([1]))).rejects.toThrow("no");
      expect(device.usage.handles).toBe(0);
    });
  });
});

describe.each(optional)("%s", (mode) => {
  test("values are waited for", async () => {
    const device = createGpu(mode);
    const v = new Variable(tensor([1, 2]));
    const step = compile(
      (x: Tensor) => {
        v.assign(add(v.value, x));
        return x;
      },
      { device },
    );
    await step(tensor([1, 1]));
    expect(() => v.value).toThrow("await variable.read() first");
    await v.read();
    expect(v.value.toArray()).toEqual([2, 3]);
    await device.dispose();
  });
  test("takes the time of every launch where it is asked to, its own kernels' and gpu.js's", async () => {
    const device = createGpu(mode, { tuned: true, profile: true });
    await device.open();
    const run = compile((x: Tensor) => exp(sum(x)), { device });
    await run(full([40, 100], 1));
    const timings = run.report().timings ?? [];
    // a device that was opened before without a clock stays without
    if (timings.length > 0) expect(timings.map(({ step }) => step)).toContain("tuned");
    for (const { ms } of timings) expect(ms).toBeGreaterThanOrEqual(0);
    await device.dispose();
  });
  test("a lost device is an error until a new one is opened", async () => {
    const device = createGpu(mode);
    const v = new Variable(tensor([1]));
    const step = compile(
      (x: Tensor) => {
        v.assign(add(v.value, x));
        return v.value;
      },
      { device },
    );
    await step(tensor([1]));
    // what every kernel of gpu.js shares
    const path = "gpu.js/src/backend/web-gpu/context.js";
    const { WebGPUContext } = (await import(path)) as { WebGPUContext: { destroy(): Promise<void> } };
    await WebGPUContext.destroy();
    await settled();
    await expect(step(tensor([1]))).rejects.toThrow("device lost");
    await expect(v.read()).rejects.toThrow("load a checkpoint");
    await device.dispose();
    v.assign(tensor([5]));
    expect((await step(tensor([1]))).item()).toBe(6);
    await device.dispose();
  });
});

describe("errors", () => {
  const device = createGpu("gpu:cpu");
  test("float64 and whole numbers beyond 2^24 are refused", async () => {
    await expect(compile((x) => exp(x), { device })(tensor([1], { dtype: "float64" }))).rejects.toThrow(
      "device cpu computes",
    );
    await expect(compile((x) => add(x, x), { device })(tensor([2 ** 25], { dtype: "int32" }))).rejects.toThrow(
      "whole numbers",
    );
  });
  test("what is missing is named, with a way to get it", async () => {
    expect(await gpuStatus("gpu:webgl2")).toMatchObject({ works: false, fix: expect.stringContaining("a browser") });
    const status = await gpuStatus("gpu");
    if (status.works) return;
    await expect(compile((x) => exp(x), { device: createGpu("gpu") })(tensor([1]))).rejects.toThrow(status.about);
  });
});
