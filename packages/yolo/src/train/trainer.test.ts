// The training loop on a tiny detector and drawn squares: repeatable, resumable in the middle of an epoch, and honest about failures.
import { initialize, loadStateDict, namedParameters, readSafetensors, writeSafetensors } from "@orepa/autograd";
import { createWasm, full, Generator } from "@orepa/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { parseDataYaml } from "../data/data-yaml.ts";
import { loadDataset } from "../data/dataset.ts";
import { encodePpm, memoryFileSystem, ppmCodec } from "../data/memory-files.ts";
import type { Dataset } from "../data/types.ts";
import { UserError } from "../errors.ts";
import type { DetectModel } from "../model/detect-model.ts";
import { buildModel } from "../model/parser.ts";
import { defaultTrainArgs } from "./args.ts";
import { stripCheckpoint } from "./checkpoint.ts";
import type { Checkpoint, TrainArgs, TrainEvent, TrainOptions, TrainResult } from "./events.ts";
import { NonFiniteLossError } from "./non-finite.ts";
import { createStep } from "./step.ts";
import { train } from "./trainer.ts";
import { validate } from "./validate.ts";

const tinyModel = `
nc: 2
backbone:
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, Conv, [16, 3, 2]]
head:
  - [[1, 2], 1, Detect, [nc]]
`;

function createModel(text = tinyModel) {
  const model = buildModel(text);
  initialize(model, 1);
  return model;
}

/** Grey pictures of 32 pixels with one bright square, of the class of its colour. */
async function squares(count: number): Promise<Dataset> {
  const files = new Map<string, string | Uint8Array>();
  for (let i = 0; i < count; i++) {
    const generator = new Generator(`square ${i}`);
    const classIndex = i % 2;
    const side = 12 + generator.integer(9);
    const left = generator.integer(32 - side);
    const top = generator.integer(32 - side);
    const data = new Uint8Array(32 * 32 * 3).fill(90);
    for (let y = top; y < top + side; y++)
      for (let x = left; x < left + side; x++) data[(y * 32 + x) * 3 + 2 * classIndex] = 250;
    const name = String(i).padStart(3, "0");
    files.set(`/d/images/${name}.png`, encodePpm({ width: 32, height: 32, data }));
    const box = [(left + side / 2) / 32, (top + side / 2) / 32, side / 32, side / 32];
    files.set(`/d/labels/${name}.txt`, [classIndex, ...box].join(" "));
  }
  const fs = memoryFileSystem(files);
  const config = parseDataYaml("train: images\nnames: [red, blue]", "/d/data.yaml", fs);
  return loadDataset({ config, split: "train", fs, codec: ppmCodec });
}

let dataset: Dataset;
beforeAll(async () => {
  dataset = await squares(5);
});

/** The first of the two epochs has mosaics, the second none. */
const args: TrainArgs = {
  ...defaultTrainArgs,
  epochs: 2,
  batch: 2,
  imgsz: 32,
  optimizer: "SGD",
  nbs: 4,
  seed: 5,
  close_mosaic: 1,
};

/** Trains with the defaults of these tests and gathers the events. */
async function run(options: Partial<TrainOptions> = {}): Promise<{ result: TrainResult; events: TrainEvent[] }> {
  const events: TrainEvent[] = [];
  const result = await train({
    createModel,
    dataset,
    valDataset: dataset,
    args,
    device: "cpu",
    onEvent: (event) => {
      events.push(event);
    },
    ...options,
  });
  return { result, events };
}

/** The entries under a prefix, without it. */
const subset = <T>(map: ReadonlyMap<string, T>, prefix: string): Map<string, T> =>
  new Map([...map].flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])));

/** Trains until so many batches have been told, then asks to stop. */
async function stopAfter(count: number, options: Partial<TrainOptions>): ReturnType<typeof run> {
  const events: TrainEvent[] = [];
  const { result } = await run({
    ...options,
    onEvent: (event) => void events.push(event),
    shouldStop: () => events.filter(({ type }) => type === "batch").length >= count,
  });
  return { result, events };
}

const bytes = ({ tensors, metadata }: Checkpoint) => writeSafetensors(tensors, metadata);
/** Compares whole files at once; `toEqual` goes through a million bytes one by one. */
const expectSameBytes = (a: Checkpoint, b: Checkpoint) => expect(Buffer.compare(bytes(a), bytes(b))).toBe(0);
const pass = (checkpoint: Checkpoint): Checkpoint => readSafetensors(bytes(checkpoint));

/** Runs that several tests compare with, each made once. */
const runs = new Map<string, ReturnType<typeof run>>();
function uninterrupted(ownArgs: TrainArgs): ReturnType<typeof run> {
  const key = JSON.stringify(ownArgs);
  const found = runs.get(key) ?? run({ args: ownArgs });
  runs.set(key, found);
  return found;
}

/** Learns the squares by heart; gives a maker of models with the trained weights (their average lags behind in so short a time). */
async function learned(): Promise<() => DetectModel> {
  const byHeart = { ...args, epochs: 100, batch: 5, nbs: 5, optimizer: "AdamW", lr0: 0.01, warmup_epochs: 0 } as const;
  const unchanged = { hsv_h: 0, hsv_s: 0, hsv_v: 0, fliplr: 0, mosaic: 0, translate: 0, scale: 0 };
  const key = { ...byHeart, ...unchanged, val: false };
  const found = runs.get("learned") ?? run({ args: key, valDataset: null });
  runs.set("learned", found);
  const { tensors } = (await found).result.last;
  return () => {
    const model = createModel();
    loadStateDict(model, subset(tensors, "train/model/"));
    return model;
  };
}

describe("train", () => {
  it("tells its course in order and gives the same bytes for the same seed", async () => {
    const { result, events } = await uninterrupted(args);
    expect(result.reason).toBe("finished");
    expect(result.rows.map(({ epoch }) => epoch)).toEqual([1, 2]);
    const ofEpoch = ["epoch-start", "batch", "batch", "batch", "validation-batch", "validation-batch"];
    const told = [...ofEpoch, "validation", "epoch-end", "checkpoint"];
    expect(events.map(({ type }) => type)).toEqual(["start", ...told, ...told]);
    const again = await run();
    expect(again.result.rows).toEqual(result.rows);
    expectSameBytes(again.result.last, result.last);
  });

  it.each([
    ["in the first epoch", { optimizer: "SGD", nbs: 4 }, 1],
    ["before the validation", { optimizer: "SGD", nbs: 4 }, 3],
    ["in the second epoch", { optimizer: "AdamW", nbs: 4 }, 5],
    ["without summed gradients", { optimizer: "AdamW", nbs: 2 }, 4],
  ] as const)("stopped %s and resumed through bytes, equals the run that was not (%o)", async (_, own, stop) => {
    const ownArgs = { ...args, ...own };
    const first = await stopAfter(stop, { args: ownArgs });
    expect(first.result.reason).toBe("interrupted");
    expect(first.events.at(-1)!).toMatchObject({ type: "checkpoint", interrupted: true, kinds: ["last"] });
    const second = await run({ resume: pass(first.result.last) });
    const whole = await uninterrupted(ownArgs);
    expect(second.result.rows).toEqual(whole.result.rows);
    expectSameBytes(second.result.last, whole.result.last);
    expect(second.result.bestEpoch).toBe(whole.result.bestEpoch);
  });

  it("resumes from the end of an epoch too, and refuses what cannot be resumed", async () => {
    const { result, events } = await uninterrupted(args);
    const ends = events.flatMap((event) => (event.type === "checkpoint" ? [event.checkpoint] : []));
    const resumed = await run({ resume: pass(ends[0]!) });
    expectSameBytes(resumed.result.last, result.last);
    await expect(run({ resume: result.last })).rejects.toThrow(/has finished its 2 epochs/);
    await expect(run({ resume: stripCheckpoint(ends[0]!) })).rejects.toThrow(/got weights alone/);
    const progress = JSON.parse(Object.values(ends[0]!.metadata)[0]!) as { args: TrainArgs };
    const { translate: _, ...older } = progress.args;
    const metadata = { train: JSON.stringify({ ...progress, args: older }) };
    await expect(run({ resume: { ...ends[0]!, metadata } })).rejects.toThrow(
      /of this version, got one without translate/,
    );
    await expect(run({ resume: ends[0]!, dataset: await squares(4) })).rejects.toThrow(/5 usable pictures.*got 4/);
  });

  it("names the batch at which the loss stops being a number and does not go on", async () => {
    const poisoned = () => {
      const model = createModel();
      const [first] = namedParameters(model).values();
      first!.assign(full(first!.shape, Number.NaN));
      return model;
    };
    const events: TrainEvent[] = [];
    const error = await run({ createModel: poisoned, onEvent: (event) => void events.push(event) }).catch((e) => e);
    expect(error).toBeInstanceOf(NonFiniteLossError);
    expect(error).toMatchObject({ what: "loss", epoch: 0, batch: 0 });
    expect(events.some(({ type }) => type === "checkpoint")).toBe(false);
  });

  it("stops early when the fitness has not grown for `patience` epochs", async () => {
    // Good weights are ruined by a huge learning rate: the first epochs, before the average follows, stay the best.
    const createGood = await learned();
    const ruin = {
      ...args,
      epochs: 40,
      batch: 5,
      patience: 2,
      lr0: 1,
      optimizer: "SGD",
      nbs: 5,
      warmup_epochs: 0,
    } as const;
    const { result } = await run({ args: ruin, createModel: createGood });
    expect(result.reason).toBe("early-stop");
    expect(result.rows).toHaveLength(result.bestEpoch + 3);
  });

  it("keeps frozen layers and refuses to freeze everything", async () => {
    const { result, events } = await run({ args: { ...args, epochs: 1, freeze: 2 } });
    const key = "model.0.conv.weight";
    const start = events.find((event) => event.type === "start")!;
    expect(start.type === "start" && start.frozen).toContain(key);
    const before = namedParameters(createModel()).get(key)!.value.toTypedArray();
    expect(result.last.tensors.get(`train/model/${key}`)!.toTypedArray()).toEqual(before);
    await expect(run({ args: { ...args, freeze: 9 } })).rejects.toThrow(/freeze: expected layers 0..3, got 4/);
  });

  it("learns the squares", async () => {
    const model = (await learned())();
    const { all } = (await validate({ model, dataset, device: "cpu", batch: 5, imgsz: 32, rect: false }))!;
    expect(all.map50).toBeGreaterThan(0.5);
  });

  it("says before the first step which batch fits into the memory, and that of the validation", async () => {
    // Gradients are summed over batches whatever the size, as they are by default.
    const large = { ...args, imgsz: 320, batch: 5, epochs: 1, nbs: 64 };
    const attempt = (own: TrainArgs, maximumBytes: number) =>
      run({ args: own, device: createWasm({ threads: 1, maximumBytes }) });
    const bytes = 3 * 2 ** 24;
    const refused = attempt(large, bytes);
    await expect(refused).rejects.toThrow(UserError);
    const message = await refused.catch((error: Error) => error.message);
    expect(message).toMatch(/^memory: imgsz=320 batch=5 needs \d+ MiB, the device has \d+ MiB; the largest batch/);
    const most = Number(/\(batch=(\d)\)/.exec(message as string)![1]);
    const { result } = await attempt({ ...large, batch: most }, bytes);
    expect(result.reason).toBe("finished");
  });

  it("suggests no batch that fits only without the sums of gradients that it would need", async () => {
    const wide = tinyModel
      .replace("[8, 3, 2]", "[32, 3, 2]")
      .replace("[8, 3, 2]", "[64, 3, 2]")
      .replace("[16,", "[128,");
    const create = () => createModel(wide);
    const own: TrainArgs = { ...args, imgsz: 64, batch: 5, nbs: 5, epochs: 1, val: false };
    const limited = (maximumBytes: number) => createWasm({ threads: 1, maximumBytes });
    // Memory in which a step of 3 pictures fits as one program: 5 are one optimizer step, and 3 sum the gradients of two batches.
    const [plenty, page] = [2 ** 26, 2 ** 16];
    const step = createStep({
      ...{ model: create(), average: create(), accumulates: false, device: limited(plenty) },
      optimizer: { name: "SGD", lr: 0.01, momentum: 0.9, warmupBiasLr: 0, weightDecay: 0 },
      gains: { box: 7.5, cls: 0.5, dfl: 1.5 },
    });
    const shapes = { shape: [3, 3, 64, 64], targetShape: [3, 8, 5] } as const;
    const { arena, available } = step.prepare(shapes)!;
    const bytes = page * Math.ceil((plenty - available + arena) / page + 2);
    const attempt = (batch: number) =>
      run({ args: { ...own, batch }, createModel: create, valDataset: null, device: limited(bytes) });
    for (const batch of [3, 5])
      await expect(attempt(batch)).rejects.toThrow(
        new RegExp(`^memory: imgsz=64 batch=${batch} .* not even batch=1 fits`),
      );
    step.dispose();
    expect(() => step.prepare(shapes, true)).not.toThrow();
  });

  it("refuses a model of another number of classes", async () => {
    await expect(run({ createModel: () => buildModel(tinyModel, { nc: 3 }) })).rejects.toThrow(/expected 2 classes/);
  });
});

describe("validate", () => {
  it("gives rows, curves, speeds and, when asked, detections", async () => {
    const result = await validate({
      model: createModel(),
      dataset,
      device: "cpu",
      batch: 4,
      imgsz: 32,
      keepDetections: true,
      loss: { box: 7.5, cls: 0.5, dfl: 1.5 },
    });
    expect(result!.classes.map(({ name, images, instances }) => [name, images, instances])).toEqual([
      ["red", 3, 3],
      ["blue", 2, 2],
    ]);
    expect(result!.all).toMatchObject({ name: "all", images: 5, instances: 5 });
    expect(result!.images).toHaveLength(5);
    expect(result!.loss!.every(Number.isFinite)).toBe(true);
    expect(result!.confusion).toHaveLength(3);
    expect(result!.images[0]!.truths).toHaveLength(1);
  });
});
