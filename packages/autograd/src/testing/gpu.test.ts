// Every case of every primitive and composed op on the gpu device against the reference: the modes of gpu.js that run
// everywhere, through the kernels of them all.
import {
  bind,
  cast,
  compile,
  createGpu,
  type Dtype,
  gpuStatus,
  type HostCall,
  type ParamsOf,
  type PrimitiveName,
  sum,
  type Tensor,
  type TensorSpec,
} from "@orepa/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../grad.ts";
import { composedCases } from "./composed-cases.ts";
import { nonFinite, tolerance } from "./gpu-accuracy.cases.ts";
import { isSample, type OpCase, type OpSample } from "./op-case.ts";
import { opCases } from "./op-cases.ts";
import { sampleFunctions } from "./sample-functions.ts";

const single = (t: Tensor): Tensor => (t.dtype === "float64" ? cast(t, "float32") : t);
const largest = (t: Tensor): number =>
  Math.max(0, ...Array.from(t.toTypedArray()).filter(Number.isFinite).map(Math.abs));
const names = Object.keys(opCases) as PrimitiveName[];
/** The case in float32: a gpu has no float64. */
const toSingle = (c: OpSample<ParamsOf<"slice">>) => {
  const { dtype, outputs } = c.params as { dtype?: Dtype; outputs?: readonly TensorSpec[] };
  return {
    ...c,
    inputs: c.inputs.map(single),
    params: {
      ...c.params,
      ...(dtype === "float64" && { dtype: "float32" }),
      ...(outputs && singleCall(c.params as unknown as HostCall)),
    },
  };
};
/** The same function, with results rounded. */
const singleCall = ({ fn, outputs }: HostCall): HostCall => ({
  fn: (...inputs) => fn(...inputs).map(single),
  outputs: outputs.map(({ shape, dtype }) => ({ shape, dtype: dtype === "float64" ? "float32" : dtype })),
});
const samples = names.flatMap((name) =>
  (opCases[name] as readonly OpCase<"slice">[]).flatMap((c) =>
    isSample(c) ? [{ name, about: c.about, c: toSingle(c) }] : [],
  ),
);

/** WebGPU is tested where the package and an adapter are there. */
const optional = (await gpuStatus("gpu:webgpu")).works ? (["gpu:webgpu"] as const) : [];
describe.each(["gpu:cpu", "gpu:webasm", ...optional] as const)("%s", (mode) => {
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
    await new Promise(setImmediate);
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
