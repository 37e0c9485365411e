// Small data for tests: a model of a few layers, a dataset on disk and a folder to work in.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { digitsDataset } from "./digits.ts";
import { encode, toCanvas } from "./image-codec.ts";

/** A detector of five layers at strides 8, 16 and 32. */
export const TINY_MODEL = `
nc: 10
backbone:
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, OREPA, [8, 3, 2]]
  - [-1, 1, OREPA, [8, 3, 2]]
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, Conv, [8, 3, 2]]
head:
  - [[2, 3, 4], 1, Detect, [nc]]
`;

/** A folder for one test; files are given by their paths in it. */
export interface TestFolder {
  readonly cwd: string;
  readonly write: (name: string, content: string | Uint8Array) => Promise<string>;
  readonly remove: () => Promise<void>;
}

/** Makes a folder with the tiny model in tiny.yaml. */
export async function testFolder(): Promise<TestFolder> {
  const cwd = await mkdtemp(path.join(os.tmpdir(), "orepa-"));
  const write = async (name: string, content: string | Uint8Array): Promise<string> => {
    const file = path.join(cwd, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    return file;
  };
  await write("tiny.yaml", TINY_MODEL);
  return { cwd, write, remove: () => rm(cwd, { recursive: true, force: true }) };
}

/** Writes data/data.yaml with digit scenes as JPEG and their labels. */
export async function writeDigits({ write }: TestFolder, { scenes = 2, side = 64 } = {}): Promise<void> {
  const names = JSON.stringify(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  await write("data/data.yaml", `path: .\ntrain: images/train\nval: images/val\nnames: ${names}\n`);
  for (const split of ["train", "val"] as const) {
    const dataset = digitsDataset({ split, scenes, side });
    for (const [i, { boxes }] of dataset.samples.entries()) {
      const picture = toCanvas(await dataset.load(i));
      await write(`data/images/${split}/${i}.jpg`, encode(picture, "x.jpg"));
      await write(`data/labels/${split}/${i}.txt`, boxes.map((box) => `${box.join(" ")}\n`).join(""));
    }
  }
}
