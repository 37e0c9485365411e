// Warped pictures against a recorded one, and boxes against the pixels that they enclose.
import { readFileSync } from "node:fs";
import { Generator } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { type AffineArgs, randomAffine } from "./affine.ts";
import { drawCentre, drawShare, mixup, mosaic } from "./mosaic.ts";
import type { Box, Image, LabelledImage } from "./types.ts";
import { compose, identity, type Matrix, warp } from "./warp.ts";

const bytes = readFileSync(new URL("../../../../fixtures/postprocess.safetensors", import.meta.url));

/** A recorded picture. */
function picture(name: string): Image {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<
    string,
    { shape: [number, number]; data_offsets: [number, number] }
  >;
  const { shape, data_offsets } = header[name]!;
  const [from, to] = data_offsets.map((offset) => bytes.byteOffset + 8 + length + offset) as [number, number];
  return { width: shape[1], height: shape[0], data: Uint8Array.from(new Float32Array(bytes.buffer.slice(from, to))) };
}

const largestDifference = (a: Image, b: Image): number =>
  a.data.reduce((most, level, i) => Math.max(most, Math.abs(level - b.data[i]!)), 0);

const off: AffineArgs = { degrees: 0, translate: 0, scale: 0, shear: 0, perspective: 0 };
const source = picture("image.src");

describe("warp", () => {
  const matrix: Matrix = [0.9, 0.15, -3.2, -0.12, 1.05, 4.4, 0, 0, 1];

  it("equals the recorded picture within one level", () => {
    const expected = picture("image.warpaffine.48x40");
    const got = warp(source, matrix, expected);
    expect(got.data).toHaveLength(expected.data.length);
    expect(largestDifference(got, expected)).toBeLessThanOrEqual(1);
  });

  it("leaves the picture alone under the identity, also on the way through perspective", () => {
    expect(warp(source, identity, source)).toEqual(source);
    const nearly: Matrix = [1, 0, 0, 0, 1, 0, 1e-12, 0, 1];
    expect(warp(source, nearly, source)).toEqual(source);
    expect(largestDifference(warp(source, compose(nearly, matrix), source), warp(source, matrix, source))).toBeLessThan(
      32,
    );
  });

  it("is all border where there is no way back", () => {
    const flat: Matrix = [0, 0, 5, 0, 0, 5, 0, 0, 1];
    expect(new Set(warp(source, flat, { width: 8, height: 8 }).data)).toEqual(new Set([114]));
  });
});

/** A black picture with one white rectangle, which is also its box. */
function rectangle(size: number, [x1, y1, x2, y2]: readonly [number, number, number, number]): LabelledImage {
  const data = new Uint8Array(size * size * 3);
  for (let y = y1; y < y2; y++) data.fill(255, (y * size + x1) * 3, (y * size + x2) * 3);
  const box: Box = [0, (x1 + x2) / 2 / size, (y1 + y2) / 2 / size, (x2 - x1) / size, (y2 - y1) / size];
  return { image: { width: size, height: size, data }, boxes: [box] };
}

/** The bounds of the pixels that are brighter than the border. */
function bounds({ width, height, data }: Image): [number, number, number, number] {
  let [x1, y1, x2, y2] = [width, height, 0, 0];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (data[(y * width + x) * 3]! > 185) {
        [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x + 1), Math.max(y2, y + 1)];
      }
  return [x1, y1, x2, y2];
}

const corners = ([, cx, cy, w, h]: Box, size: number) =>
  [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2].map((value) => value * size);

describe("randomAffine", () => {
  const size = 128;
  const drawn = rectangle(size, [40, 50, 90, 76]);

  it("leaves picture and boxes alone when all ranges are 0", () => {
    const got = randomAffine(drawn, off, { size, generator: new Generator(1) });
    expect(got).toEqual(drawn);
  });

  it.each<[string, Partial<AffineArgs>]>([
    ["rotation", { degrees: 60 }],
    ["shift", { translate: 0.4 }],
    ["scale", { scale: 0.5 }],
    ["shear", { shear: 20 }],
    ["perspective", { perspective: 0.001 }],
    ["everything", { degrees: 20, translate: 0.1, scale: 0.5, shear: 10, perspective: 0.0005 }],
  ])("moves boxes with the pixels under %s", (_, ranges) => {
    let kept = 0;
    for (let seed = 0; seed < 40; seed++) {
      const { image, boxes } = randomAffine(drawn, { ...off, ...ranges }, { size, generator: new Generator(seed) });
      if (boxes.length === 0) continue;
      kept++;
      const seen = bounds(image);
      // Half a pixel between centres and edges, scaled; and the blunt tips of turned corners.
      for (const [i, edge] of corners(boxes[0]!, size).entries())
        expect(Math.abs(edge - seen[i]!), `seed ${seed}, edge ${i}`).toBeLessThan(2.5);
    }
    expect(kept).toBeGreaterThan(30);
  });

  it("takes the middle of a canvas twice as large", () => {
    const canvas = rectangle(2 * size, [100, 110, 150, 160]);
    const { image, boxes } = randomAffine(canvas, off, { size, generator: new Generator(1) });
    expect(bounds(image)).toEqual([36, 46, 86, 96]);
    expect(corners(boxes[0]!, size)).toEqual([36, 46, 86, 96]);
  });

  it.each<[string, readonly [number, number, number, number], number]>([
    ["is cut to a sliver of two pixels", [10, 10, 66, 60], 0],
    ["is cut to a tenth of its area", [10, 60, 68, 100], 0],
    ["keeps more than a tenth", [10, 60, 80, 100], 1],
    ["lies outside", [0, 0, 50, 50], 0],
    ["is a hundred times longer than wide", [70, 70, 180, 71], 0],
  ])("keeps or drops a box that %s", (_, box, kept) => {
    // The middle of the canvas: 64 to 192.
    const { boxes } = randomAffine(rectangle(2 * size, box), off, { size, generator: new Generator(1) });
    expect(boxes).toHaveLength(kept);
  });

  it("compares areas at the same scale, so shrinking alone drops nothing", () => {
    const shrinks = { ...off, scale: 0.9 };
    const kept = Array.from({ length: 30 }, (_, seed) =>
      randomAffine(drawn, shrinks, { size, generator: new Generator(seed) }),
    );
    expect(kept.every(({ boxes }) => boxes.length === 1)).toBe(true);
  });

  it("repeats itself with the same seed and draws alike whatever the ranges", () => {
    const all = { degrees: 20, translate: 0.1, scale: 0.5, shear: 10, perspective: 0.0005 };
    const run = (args: AffineArgs) => {
      const generator = new Generator("a");
      return [randomAffine(drawn, args, { size, generator }), generator.uniform()] as const;
    };
    expect(run(all)).toEqual(run(all));
    expect(run(all)[1]).toBe(run(off)[1]);
  });
});

describe("mosaic", () => {
  const flat = (width: number, height: number, level: number): LabelledImage => ({
    image: { width, height, data: new Uint8Array(width * height * 3).fill(level) },
    boxes: [[level, 0.5, 0.5, 1, 1]],
  });
  const tiles = [flat(32, 20, 1), flat(16, 32, 2), flat(32, 32, 3), flat(30, 32, 4)] as const;

  it("puts the four around the centre, cuts them off at the canvas, and clips the boxes alike", () => {
    const { image, boxes } = mosaic(tiles, { size: 32, centre: { x: 20, y: 40 } });
    expect([image.width, image.height]).toEqual([64, 64]);
    const level = (x: number, y: number) => image.data[(y * 64 + x) * 3]!;
    expect([level(19, 39), level(20, 39), level(19, 40), level(20, 40)]).toEqual([1, 2, 3, 4]);
    expect([level(0, 20), level(0, 19), level(35, 8), level(36, 8), level(49, 63), level(50, 63)]).toEqual([
      1, 114, 2, 114, 4, 114,
    ]);
    expect(boxes.map((box) => [box[0], ...corners(box, 64)])).toEqual([
      [1, 0, 20, 20, 40],
      [2, 20, 8, 36, 40],
      [3, 0, 40, 20, 64],
      [4, 20, 40, 50, 64],
    ]);
    for (const [levelOf, x1, y1, x2, y2] of boxes.map((box) => [box[0], ...corners(box, 64)] as number[])) {
      for (const [x, y] of [
        [x1, y1],
        [x2! - 1, y2! - 1],
      ])
        expect(level(x!, y!)).toBe(levelOf);
    }
  });

  it("removes boxes of which nothing is left", () => {
    const outside: LabelledImage = { ...tiles[0], boxes: [[0, 0.1, 0.5, 0.2, 0.2]] };
    const { boxes } = mosaic([outside, tiles[1], tiles[2], tiles[3]], { size: 32, centre: { x: 20, y: 40 } });
    expect(boxes.map(([level]) => level)).toEqual([2, 3, 4]);
  });

  it("has its centre in the middle half of the canvas", () => {
    const generator = new Generator(1);
    const found = Array.from({ length: 500 }, () => drawCentre(32, generator)).flatMap(({ x, y }) => [x, y]);
    expect([Math.min(...found), Math.max(...found)]).toEqual([16, 47]);
  });
});

describe("mixup", () => {
  it("lays pictures over each other and keeps the boxes of both", () => {
    const first = rectangle(8, [0, 0, 4, 8]);
    const second = rectangle(8, [2, 0, 8, 8]);
    const { image, boxes } = mixup(first, second, 0.25);
    expect([0, 2, 4].map((x) => image.data[x * 3])).toEqual([63, 255, 191]);
    expect(boxes).toEqual([...first.boxes, ...second.boxes]);
  });

  it("draws shares with the mean and the spread of Beta(32, 32)", () => {
    const generator = new Generator(1);
    const shares = Array.from({ length: 2000 }, () => drawShare(generator));
    const mean = shares.reduce((a, b) => a + b) / shares.length;
    const variance = shares.reduce((a, b) => a + (b - mean) ** 2, 0) / shares.length;
    expect(mean).toBeCloseTo(0.5, 2);
    // a b / ((a + b)^2 (a + b + 1))
    expect(Math.sqrt(variance)).toBeCloseTo(Math.sqrt(1 / 4 / 65), 2);
  });
});
