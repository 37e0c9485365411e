// A training step of yolo11n, plain or with OREPA blocks, on a gpu device: forward, assignment on the host, loss, backward,
// clipping, SGD and the average of the weights, against the reference in float64.
import { emaDecay, loadStateDict, namedVariables, readVariables, stateDict, toDtype } from "@orepa/autograd";
import { createGpu, type DeviceSpec, Generator, type GpuName, rand } from "@orepa/tensor";
import { buildModel, createStep, modelYaml } from "@orepa/yolo";
import { expect } from "vitest";
import { type Change, expectSameChange, roundingOf } from "../../autograd/src/testing/training-change.cases.ts";
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

interface Subject {
  /** The model's text. */
  readonly yaml: string;
  /** Half of its channels, for devices that take minutes. */
  readonly isNarrow?: boolean;
}
async function step(
  { yaml, isNarrow = false }: Subject,
  dtype: "float32" | "float64",
  device: DeviceSpec,
): Promise<Change> {
  const { text } = modelYaml(yaml);
  const scaled = isNarrow ? text.replace("n: [0.50, 0.25,", "n: [0.50, 0.125,") : text;
  const create = () => buildModel(scaled, { scale: "n", nc: 5, registry });
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
  const { total } = await taken.run(batch, settings);
  const after = await readVariables(variables());
  taken.dispose();
  return { loss: total, before, after };
}

/** A step on the device changes what it changes in float64, and leaves nothing on the device. */
export async function expectStep(
  subject: Subject,
  name: GpuName,
  options?: Parameters<typeof createGpu>[1],
): Promise<void> {
  const exact = await step(subject, "float64", "cpu");
  const device = createGpu(name, options);
  const found = await step(subject, "float32", device);
  await device.dispose();
  expect(device.usage.handles).toBe(0);
  // layers that rounding passes through, forward and back, and the terms of the largest sums in them
  expectSameChange(found, exact, roundingOf({ layers: 200, terms: 2 * (SIDE / 2) ** 2 }));
}
