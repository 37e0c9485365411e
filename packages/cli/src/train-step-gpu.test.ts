// A training step of yolo11n, plain and with OREPA blocks, on the gpu device in the modes of gpu.js that run everywhere: forward,
// assignment on the host, loss, backward, clipping, SGD and the average of the weights, against the reference in float64.
import { emaDecay, loadStateDict, namedVariables, readVariables, stateDict, toDtype } from "@orepa/autograd";
import { createGpu, type DeviceSpec, Generator, gpuStatus, rand, type Tensor } from "@orepa/tensor";
import { buildModel, createStep, modelYaml } from "@orepa/yolo";
import { expect, it } from "vitest";
import { registry } from "./registry.ts";

const SIDE = 64;
/** Two pictures, a box each. */
const batch = {
  images: rand([2, 3, SIDE, SIDE], { generator: new Generator("pictures") }).toTypedArray() as Float32Array,
  shape: [2, 3, SIDE, SIDE] as const,
  targets: Float32Array.of(3, 0.5, 0.45, 0.6, 0.7, 1, 0.4, 0.5, 0.5, 0.6),
  targetShape: [2, 1, 5] as const,
};
const rate = 0.01;

/** The loss and all Variables after a step, by key. */
async function step(yaml: string, dtype: "float32" | "float64", device: DeviceSpec) {
  const create = () => buildModel(modelYaml(yaml).text, { scale: "n", nc: 5, registry });
  const [model, average] = [create(), create()];
  loadStateDict(average, stateDict(model));
  for (const m of [model, average]) toDtype(m, dtype);
  const taken = createStep({
    ...{ model, average, device, gains: { box: 7.5, cls: 0.5, dfl: 1.5 }, accumulates: false },
    optimizer: { name: "SGD", lr: rate, momentum: 0.9, warmupBiasLr: 0.1, weightDecay: 5e-4 },
  });
  const parts = { weights: namedVariables(model), average: namedVariables(average), gradient: taken.optimizerState };
  const variables = () =>
    new Map(Object.entries(parts).flatMap(([part, all]) => [...all].map(([key, v]) => [`${part} ${key}`, v] as const)));
  const settings = { lr: [rate, rate, rate], momentum: 0.9, apply: true, emaDecay: emaDecay(1) } as const;
  const before = await readVariables(variables());
  const { total, norm } = await taken.run(batch, settings);
  const values = await readVariables(variables());
  taken.dispose();
  return { total, norm: norm!, before, values };
}
const elements = (a: Tensor): number[] => Array.from(a.toTypedArray());
const length = (a: Tensor): number => Math.sqrt(elements(a).reduce((sum, value) => sum + value ** 2, 0));
const distance = (a: Tensor, b: Tensor): number => {
  const y = elements(b);
  return Math.sqrt(elements(a).reduce((sum, value, i) => sum + (value - y[i]!) ** 2, 0));
};
/** Layers that rounding passes through, forward and back, and terms that the largest sums of them have. */
const LAYERS = 200;
const TERMS = 2 * (SIDE / 2) ** 2;
const tolerance = 2 ** -24 * LAYERS * Math.sqrt(TERMS);

const optional = (await gpuStatus("gpu:webgpu")).works ? ([["yolo11n.yaml", "gpu:webgpu"]] as const) : [];
it.each([["yolo11n.yaml", "gpu:webasm"], ["yolo11n-OREPA.yaml", "gpu:cpu"], ...optional] as const)(
  "a training step of %s on %s changes what it changes in float64",
  async (yaml, name) => {
    const exact = await step(yaml, "float64", "cpu");
    const device = createGpu(name);
    const found = await step(yaml, "float32", device);
    await device.dispose();
    expect(device.usage.handles).toBe(0);
    expect(Math.abs(found.total - exact.total) / exact.total).toBeLessThan(tolerance);
    for (const part of ["gradient", "weights", "average"]) {
      const keys = [...exact.values.keys()].filter((key) => key.startsWith(part));
      const over = (f: (key: string) => number) => Math.hypot(...keys.map(f));
      const change = over((key) => distance(exact.values.get(key)!, exact.before.get(key)!));
      const size = over((key) => length(exact.values.get(key)!));
      const off = over((key) => distance(found.values.get(key)!, exact.values.get(key)!));
      // The values themselves are rounded before and after.
      expect(off, part).toBeLessThan(tolerance * change + 4 * 2 ** -24 * size);
    }
  },
);
