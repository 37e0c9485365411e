// The commands on WebGPU, against wasm: a training, its validation and its predictions; a device lost in the middle; and many
// steps, after which the device holds what it held after a few.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createSgd, groupParameters, parameters, readSafetensors, valueAndGrad } from "@orepa/autograd";
import { Orepa } from "@orepa/orepa";
import { compile, createGpu, Generator, gpuStatus, mean, rand, square, sub, type Tensor } from "@orepa/tensor";
import { buildModel, createStep } from "@orepa/yolo";
import { afterAll, beforeAll, expect, test } from "vitest";
import { registry } from "./registry.ts";
import { EXIT, run } from "./run.ts";
import { type CapturedIo, captureIo } from "./testing.ts";
import { type TestFolder, testFolder, writeDigits } from "./testing-data.ts";

const { works, about } = await gpuStatus("gpu:webgpu");
if (!works) console.warn(`The commands are not tested on WebGPU: ${about}`);

/** What the tests see of WebGPU: the devices that were opened, and the buffers that they have. */
interface WatchedDevice {
  createBuffer(...settings: unknown[]): { destroy(): void };
  destroy(): void;
}
const opened: WatchedDevice[] = [];
const alive = new Set<object>();
interface Adapter {
  requestDevice(...settings: unknown[]): Promise<WatchedDevice>;
}
function watch(prototype: Adapter): void {
  const { requestDevice } = prototype;
  prototype.requestDevice = async function (...settings) {
    const device = await requestDevice.apply(this, settings);
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (...args) => {
      const buffer = createBuffer(...args);
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        alive.delete(buffer);
        destroy();
      };
      alive.add(buffer);
      return buffer;
    };
    opened.push(device);
    return device;
  };
}

/** Two small layers: most of the time goes into making kernels. */
const NANO = `
nc: 10
backbone:
  - [-1, 1, Conv, [4, 3, 8]]
  - [-1, 1, OREPA, [4, 3, 2]]
head:
  - [[0, 1], 1, Detect, [nc]]
`;
const WORDS = ["model=nano.yaml", "imgsz=64", "batch=2", "fraction=0.004", "plots=false", "val=false", "optimizer=SGD"];
let place: TestFolder;
beforeAll(async () => {
  if (works) watch((globalThis as unknown as { GPUAdapter: { prototype: Adapter } }).GPUAdapter.prototype);
  place = await testFolder();
  await place.write("nano.yaml", NANO);
  await writeDigits(place, { scenes: 2 });
});
afterAll(() => place.remove());
const file = (name: string) => path.join(place.cwd, "runs/detect", name);

async function succeed(...words: string[]): Promise<CapturedIo> {
  const io = captureIo({ cwd: place.cwd });
  expect(await run(words, io), io.errors()).toBe(EXIT.ok);
  return io;
}
const json = (io: CapturedIo) => JSON.parse(io.output().trimEnd().split("\n").at(-1)!);
/** The rows of results.csv as numbers. */
const rows = async (name: string): Promise<number[][]> =>
  (await readFile(file(`${name}/results.csv`), "utf8"))
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((text) => text.split(",").map(Number));

test.skipIf(!works)("training, validation and prediction give what wasm gives", async () => {
  for (const device of ["wasm", "gpu:webgpu"])
    await succeed("train", ...WORDS, "epochs=1", `device=${device}`, `name=${device.slice(-4)}`);
  const [[exact], [found]] = [await rows("wasm"), await rows("bgpu")] as [[number[]], [number[]]];
  expect(found).toHaveLength(exact.length);
  for (const [i, value] of found.entries())
    expect(Math.abs(value - exact[i]!)).toBeLessThan(1e-4 * Math.abs(exact[i]!) + 1e-6);

  const weights = `model=${file("wasm/weights/deployed.safetensors")}`;
  const both = async (...words: string[]) => [
    json(await succeed(...words, weights, "json", "device=wasm")),
    json(await succeed(...words, weights, "json", "device=gpu:webgpu")),
  ];
  const [measured, again] = await both("val", "data=data/data.yaml", "plots=false", "imgsz=64");
  expect({ ...again, speed_ms: null }).toEqual({ ...measured, speed_ms: null });
  const [drawn, drawnAgain] = await both("predict", "source=data/images/val/0.jpg", "conf=0", "max_det=1");
  const [boxes, same] = [drawn, drawnAgain].map(({ images }) => images[0].boxes.flat() as number[]) as [
    number[],
    number[],
  ];
  expect(same).toHaveLength(6);
  for (const [i, value] of same.entries()) expect(value).toBeCloseTo(boxes[i]!, 3);
});

test.skipIf(!works)("a device lost in a training is one line, and the last checkpoint goes on", async () => {
  let before: Promise<Buffer> | undefined;
  const last = file("lost/weights/last.safetensors");
  const io = captureIo({
    cwd: place.cwd,
    isTerminal: true,
    watch: (text) => {
      if (!/\r +2\/2/.test(text) || before) return;
      before = readFile(last);
      opened.at(-1)!.destroy();
    },
  });
  expect(await run(["train", ...WORDS, "epochs=2", "device=gpu:webgpu", "name=lost"], io)).toBe(EXIT.defect);
  expect(io.errors()).toMatch(/^error: gpu:webgpu: expected a device that answers, got device lost: .*\n$/);
  expect(io.errors()).toContain(`; to go on from the last checkpoint: resume=${last}\n`);
  expect(await readFile(last)).toEqual(await before!);
  const values = [...readSafetensors(await before!).tensors.values()].flatMap((t) => Array.from(t.toTypedArray()));
  expect(values.every(Number.isFinite)).toBe(true);
  expect((await succeed("train", `resume=${last}`, "device=wasm")).output()).toContain("from epoch 2, batch 1");
});

/** What is held after the runs of these numbers. */
async function heldAfter(runs: readonly number[], device: ReturnType<typeof createGpu>, step: () => Promise<unknown>) {
  const held = [];
  for (let i = 1; i <= runs.at(-1)!; i++) {
    await step();
    if (runs.includes(i)) held.push({ ...device.usage, buffers: alive.size });
  }
  return held as [Held, Held];
}
type Held = ReturnType<typeof createGpu>["usage"] & { readonly buffers: number };

test.skipIf(!works)(
  "200 steps of a small net, and 12 of a detector, hold what the tenth and the second held",
  async () => {
    const device = createGpu("gpu:webgpu");
    const generator = new Generator("pictures");
    const block = new Orepa(2, 2);
    const optimizer = createSgd(groupParameters(block));
    const [x, y] = [rand([2, 2, 4, 4], { generator }), rand([2, 2, 4, 4], { generator })];
    const small = compile(
      (input: Tensor, target: Tensor) => {
        const loss = () => mean(square(sub(block.forward(input, "train"), target)));
        const { value, grads } = valueAndGrad(loss, parameters(block));
        optimizer.update(grads, { learningRates: [0.1, 0.1, 0.1], momentum: 0.9, weightDecay: 0 });
        return value;
      },
      { device },
    );
    const losses: number[] = [];
    const [ten, twoHundred] = await heldAfter([10, 200], device, async () => losses.push((await small(x, y)).item()));
    expect(twoHundred).toEqual(ten);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    small.dispose();

    const [model, average] = [buildModel(NANO, { registry }), buildModel(NANO, { registry })];
    const step = createStep({
      ...{ model, average, device, gains: { box: 7.5, cls: 0.5, dfl: 1.5 }, accumulates: false },
      optimizer: { name: "SGD", lr: 0.01, momentum: 0.9, warmupBiasLr: 0.1, weightDecay: 5e-4 },
    });
    const batch = {
      images: rand([1, 3, 32, 32], { generator }).toTypedArray() as Float32Array,
      shape: [1, 3, 32, 32] as const,
      targets: Float32Array.of(1, 0.5, 0.5, 0.6, 0.7),
      targetShape: [1, 1, 5] as const,
    };
    const settings = { lr: [0.01, 0.01, 0.01], momentum: 0.9, apply: true, emaDecay: 0.9 } as const;
    const [two, twelve] = await heldAfter([2, 12], device, () => step.run(batch, settings));
    expect(twelve).toEqual(two);
    expect(two.buffers).toBeGreaterThan(two.handles);
    step.dispose();
    await device.dispose();
    expect(device.usage.handles).toBe(0);
  },
);
