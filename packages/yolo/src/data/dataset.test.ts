// data.yaml, labels, the scan of a dataset and its batches, on files in memory.
import { describe, expect, it } from "vitest";
import { UserError } from "../errors.ts";
import { defaultTrainArgs } from "../train/args.ts";
import { trainLoader, validationLoader } from "./batch.ts";
import { parseDataYaml, readDataYaml } from "./data-yaml.ts";
import { describeProblem, labelFile, loadDataset } from "./dataset.ts";
import { parseLabels } from "./labels.ts";
import { encodePpm, memoryFileSystem, ppmCodec } from "./memory-files.ts";
import { resizeBilinear } from "./resize.ts";
import type { Split } from "./types.ts";

const fs = memoryFileSystem(new Map());
const parse = (text: string) => parseDataYaml(text, "/d/data.yaml", fs);

describe("data.yaml", () => {
  it("resolves paths against its own folder and accepts validation for val, lists and name maps", () => {
    const config = parse("path: root\ntrain: [a, /b]\nvalidation: v.txt\nnames: {0: cat, 1: dog}\nnc: 2");
    expect(config.splits).toEqual({ train: ["/d/root/a", "/b"], val: ["/d/root/v.txt"], test: null });
    expect(config.names).toEqual(["cat", "dog"]);
  });

  it("numbers the classes when only nc is given", () => {
    expect(parse("train: t\nnc: 2").names).toEqual(["class_0", "class_1"]);
  });

  it.each([
    ["train: t\nval: v", /names.*found neither names nor nc/],
    ["train: t\nnc: 3\nnames: [a]", /nc 3 and 1 names/],
    ["train: t\nnames: {0: a, 2: b}", /numbered 0..1, got no name for 1/],
    ["train: t\nnames: []", /at least one class/],
    ["names: [a]", /train and val/],
    ["train: 3\nnames: [a]", /train to be a folder/],
    ["train: [", /not valid YAML/],
    ["just text", /expected keys/],
    ["train: t\nnc: -1", /nc to be the number/],
  ])("says in one line what is wrong with %j", (text, message) => {
    expect(() => parse(text)).toThrow(UserError);
    expect(() => parse(text)).toThrow(message);
  });

  it("says when the file does not exist", async () => {
    await expect(readDataYaml("/d/none.yaml", fs)).rejects.toThrow(/no such file: \/d\/none.yaml/);
  });
});

describe("parseLabels", () => {
  it.each([
    ["7 .5 .5 .1 .1", "class 7 is out of range 0..1"],
    ["-1 .5 .5 .1 .1", "class -1 is out of range 0..1"],
    ["0.5 .5 .5 .1 .1", "class 0.5 is not a whole number"],
    ["0 nan .5 .1 .1", "cx is not a number: nan"],
    ["0 .5 .5 -.1 .1", "w is negative: -0.1"],
    ["0 .5 1.5 .1 .1", "cy is above 1: 1.5 (coordinates are fractions of the picture)"],
    ["0 .5 .5 .1", "expected 5 numbers (class cx cy w h), got 4: 0 .5 .5 .1"],
    ["0 .5 .5 0 .1", "the box has no area"],
  ])("leaves out %j: %s", (line, message) => {
    const { boxes, problems } = parseLabels(`1 .5 .5 .2 .2\n${line}\n`, { classes: 2 });
    expect(boxes).toEqual([[1, 0.5, 0.5, 0.2, 0.2]]);
    expect(problems).toEqual([{ line: 2, message }]);
  });

  it("drops repeated boxes and says so", () => {
    const { boxes, problems } = parseLabels("0 .5 .5 .2 .2\n0 0.5 0.50 .2 .2", { classes: 1 });
    expect(boxes).toHaveLength(1);
    expect(problems).toEqual([{ line: 2, message: "repeats line 1" }]);
  });

  it("takes an empty file as background", () => {
    expect(parseLabels("\n \n", { classes: 1 })).toEqual({ boxes: [], problems: [] });
  });
});

describe("labelFile", () => {
  it("replaces the last images folder and the suffix", () => {
    expect(labelFile("/images/a/images/x.y.png")).toBe("/images/a/labels/x.y.txt");
    expect(labelFile("C:\\d\\images\\1.jpg")).toBe("C:\\d\\labels\\1.txt");
  });
});

const pixmap = (width: number, height: number, level = 9) =>
  encodePpm({ width, height, data: new Uint8Array(width * height * 3).fill(level) });

/** A dataset of pixmaps under names that the scan accepts; the codec looks at the bytes. */
function load(files: Record<string, string | Uint8Array>, options: { split?: Split; fraction?: number } = {}) {
  const all = memoryFileSystem(new Map(Object.entries(files).map(([name, content]) => [`/d/${name}`, content])));
  const config = parseDataYaml("train: images\nnames: [a, b]", "/d/data.yaml", all);
  return loadDataset({ config, split: "train", fs: all, codec: ppmCodec, ...options });
}

describe("loadDataset", () => {
  it("pairs pictures with labels, counts backgrounds and lists what is broken", async () => {
    const dataset = await load({
      "images/1.png": pixmap(20, 10),
      "labels/1.txt": "0 .5 .5 .5 .5\n9 .5 .5 .5 .5",
      "images/2.png": pixmap(16, 16),
      "images/3.png": pixmap(4, 16),
      "images/4.jpg": new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]),
      "images/5.png": "no picture",
      "images/notes.txt": "not a picture at all",
    });
    expect(dataset.samples.map(({ file, width, boxes }) => [file, width, boxes.length])).toEqual([
      ["/d/images/1.png", 20, 1],
      ["/d/images/2.png", 16, 0],
    ]);
    expect(dataset.backgrounds).toBe(1);
    expect(dataset.problems.map(describeProblem)).toEqual([
      "/d/labels/1.txt:2: class 9 is out of range 0..1",
      "/d/images/3.png: is too small: 4x16, expected at least 10x10 pixels",
      "/d/images/4.jpg: truncated JPEG: no end marker",
      "/d/images/5.png: cannot be decoded: not a binary pixmap",
    ]);
  });

  it("keeps a picture at the smaller size that it is asked for, and has the whole one again", async () => {
    const picture = { width: 20, height: 12, data: Uint8Array.from({ length: 720 }, (_, i) => (i * 37) % 256) };
    const dataset = await load({ "images/1.png": encodePpm(picture) });
    const small = await dataset.loadResized!(0, 10, 6);
    expect(small).toEqual(resizeBilinear(picture, 10, 6));
    expect(await dataset.loadResized!(0, 10, 6)).toBe(small);
    expect(await dataset.load(0)).toEqual(picture);
    expect(await dataset.loadResized!(0, 30, 18)).toEqual(resizeBilinear(picture, 30, 18));
  });

  it("takes a fraction of the pictures, at least one", async () => {
    const files = Object.fromEntries([1, 2, 3, 4].map((i) => [`images/${i}.png`, pixmap(16, 16)]));
    expect((await load(files, { fraction: 0.5 })).samples).toHaveLength(2);
    expect((await load(files, { fraction: 0.01 })).samples).toHaveLength(1);
  });

  it("reads text files of paths", async () => {
    const all = memoryFileSystem(
      new Map<string, string | Uint8Array>([
        ["/d/list.txt", "./images/2.png\nimages/1.png\n"],
        ["/d/images/1.png", pixmap(16, 16)],
        ["/d/images/2.png", pixmap(16, 16)],
      ]),
    );
    const config = parseDataYaml("train: list.txt\nnames: [a]", "/d/data.yaml", all);
    const { samples } = await loadDataset({ config, split: "train", fs: all, codec: ppmCodec });
    expect(samples.map(({ file }) => file)).toEqual(["/d/images/1.png", "/d/images/2.png"]);
  });

  it("refuses a dataset without usable labels, pictures or folder, naming the first problem", async () => {
    const picture = { "images/1.png": pixmap(16, 16) };
    await expect(load({ ...picture, "labels/1.txt": "0 nan .5 .5 .5" })).rejects.toThrow(
      /no usable labels; the first problem: \/d\/labels\/1.txt:1: cx is not a number/,
    );
    await expect(load({ "images/1.png": "broken" })).rejects.toThrow(/no usable pictures \(1 broken\)/);
    await expect(load({ "images/readme.md": "" })).rejects.toThrow(/expected pictures for train, found none/);
    await expect(load({})).rejects.toThrow(/names \/d\/images, which does not exist/);
    await expect(load(picture, { split: "val" })).rejects.toThrow(/expected an entry for val/);
  });
});

describe("batches", () => {
  const files = Object.fromEntries(
    [1, 2, 3, 4, 5].flatMap((i) => [
      [`images/${i}.png`, pixmap(16 + i, 12, 20 * i)],
      [`labels/${i}.txt`, "1 .5 .5 .5 .5"],
    ]),
  );
  const changes = { ...defaultTrainArgs, degrees: 10, shear: 5, perspective: 0.001, mixup: 0.5, close_mosaic: 1 };
  const options = { batch: 2, imgsz: 32, seed: 3, epochs: 3, augment: changes };

  it("depend on seed, epoch and index alone", async () => {
    const dataset = await load(files);
    const loader = () => trainLoader(dataset, options);
    const inOrder = loader();
    expect(inOrder.batches).toBe(3);
    await inOrder.batch(0, 0);
    await inOrder.batch(0, 1);
    const third = await inOrder.batch(1, 2);
    expect(await loader().batch(1, 2)).toEqual(third);
    expect(third.shape).toEqual([1, 3, 32, 32]);
    const other = trainLoader(dataset, { ...options, seed: 4 });
    expect(await other.batch(1, 0)).not.toEqual(await inOrder.batch(1, 0));
  });

  it("close the mosaic in the last epochs, where without other changes each picture stands alone", async () => {
    const still = { hsv_h: 0, hsv_s: 0, hsv_v: 0, fliplr: 0, translate: 0, scale: 0, mixup: 1 };
    const augment = { ...defaultTrainArgs, ...still, close_mosaic: 1 };
    const loader = trainLoader(await load(files), { ...options, batch: 5, augment });
    const unchanged = (epoch: number) =>
      trainLoader(dataset, { ...options, batch: 5, augment: { ...augment, mosaic: 0, mixup: 0 } }).batch(epoch, 0);
    const dataset = await load(files);
    expect(await loader.batch(2, 0)).toEqual(await unchanged(2));
    expect((await loader.batch(2, 0)).instances).toBe(5);
    expect((await loader.batch(1, 0)).images).not.toEqual((await unchanged(1)).images);
    // Two mosaics of four pictures with a box each laid over each other hold up to eight.
    expect((await loader.batch(1, 0)).instances).toBeGreaterThan(5);
  });

  it("grow target rows when mosaics need more", async () => {
    const crowded = {
      "images/1.png": pixmap(64, 64),
      "labels/1.txt": Array.from({ length: 8 }, (_, i) => `0 .${i + 1} .5 .1 .5`).join("\n"),
    };
    const loader = trainLoader(await load(crowded), {
      ...options,
      imgsz: 64,
      augment: { ...defaultTrainArgs, scale: 0, close_mosaic: 0 },
    });
    const { targetShape, instances } = await loader.batch(0, 0);
    expect(instances).toBeGreaterThan(8);
    expect(targetShape).toEqual([1, instances > 16 ? 32 : 16, 5]);
  });

  it("use every picture once an epoch", async () => {
    const loader = trainLoader(await load(files), options);
    const seen = (await Promise.all([0, 1, 2].map((i) => loader.batch(0, i)))).flatMap(({ indices }) => indices);
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4]);
  });

  it("pad targets to a bucket and keep boxes in place", async () => {
    const dataset = await load({ "images/1.png": pixmap(20, 10), "labels/1.txt": "1 .5 .25 .5 .5" });
    const { targets, targetShape, images, instances } = await validationLoader(dataset, {
      batch: 4,
      imgsz: 40,
      rect: false,
      stride: 32,
    }).batch(0, 0);
    expect(targetShape).toEqual([1, 8, 5]);
    expect(instances).toBe(1);
    // Twice as wide as high: the picture fills rows 10..30 of 40.
    expect([...targets.subarray(0, 5)]).toEqual([1, 0.5, 0.375, 0.5, 0.25]);
    expect(targets.subarray(5).every((x) => x === 0)).toBe(true);
    expect(images[0]).toBeCloseTo(114 / 255, 6);
    expect(images[20 * 40 + 20]).toBeCloseTo(9 / 255, 6);
  });

  it("give validation the smallest rectangle in strides", async () => {
    const dataset = await load({ "images/1.png": pixmap(64, 32), "images/2.png": pixmap(128, 64) });
    const { shape } = await validationLoader(dataset, { batch: 2, imgsz: 128, rect: true, stride: 32 }).batch(0, 0);
    // 64 rows are two strides; half a stride more makes three.
    expect(shape).toEqual([2, 3, 96, 160]);
  });
});
