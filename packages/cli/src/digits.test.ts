// The embedded digits: same seed same bytes, boxes where the ink is, train and val apart.
import { expect, test } from "vitest";
import { digitsDataset } from "./digits.ts";

test("scenes hold digits whose boxes lie inside and are about the asked size", async () => {
  const dataset = digitsDataset({ split: "train", scenes: 50, side: 64, seed: 3 });
  expect(dataset.samples.length).toBe(50);
  const classes = new Set<number>();
  for (const { boxes } of dataset.samples) {
    expect(boxes.length).toBeGreaterThan(0);
    for (const [classIndex, cx, cy, w, h] of boxes) {
      classes.add(classIndex);
      for (const value of [cx - w / 2, cy - h / 2]) expect(value).toBeGreaterThanOrEqual(0);
      for (const value of [cx + w / 2, cy + h / 2]) expect(value).toBeLessThanOrEqual(1);
      expect(Math.max(w, h)).toBeGreaterThan(0.125);
      expect(Math.max(w, h)).toBeLessThanOrEqual(0.5);
    }
  }
  expect(classes.size).toBe(10);
  const image = await dataset.load(0);
  expect([image.width, image.height, image.data.length]).toEqual([64, 64, 64 * 64 * 3]);
});

test("the same seed gives the same scenes; another seed or split gives others", async () => {
  const first = async (seed: number, split: "train" | "val") =>
    (await digitsDataset({ split, scenes: 1, seed }).load(0)).data;
  expect(await first(0, "train")).toEqual(await first(0, "train"));
  expect(await first(0, "train")).not.toEqual(await first(1, "train"));
  expect(await first(0, "train")).not.toEqual(await first(0, "val"));
});

test("a digit is brighter than what is around it", async () => {
  const dataset = digitsDataset({ split: "val", scenes: 10, side: 96 });
  const image = await dataset.load(0);
  const [, cx, cy, w, h] = dataset.samples[0]!.boxes[0]!;
  let [inside, most] = [0, 0];
  for (let y = Math.floor((cy - h / 2) * 96); y < (cy + h / 2) * 96; y++) {
    for (let x = Math.floor((cx - w / 2) * 96); x < (cx + w / 2) * 96; x++) {
      inside = image.data[(y * 96 + x) * 3 + 1]!;
      most = Math.max(most, inside);
    }
  }
  expect(most).toBeGreaterThan(130);
});
