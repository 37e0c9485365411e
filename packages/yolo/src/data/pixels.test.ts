// Resizing, letterboxing and colour changes against recorded pictures and placements.
import { readFileSync } from "node:fs";
import { Generator } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { scaleToPicture } from "../predict/postprocess.ts";
import { augment, flipHorizontal, flipVertical, fromHsv, scaleHsv, toHsv } from "./augment.ts";
import { letterbox, placeLetterbox } from "./letterbox.ts";
import { resizeBilinear } from "./resize.ts";
import type { Box, Image } from "./types.ts";

const fixture = (name: string) => new URL(`../../../../fixtures/${name}`, import.meta.url);
const recorded = JSON.parse(readFileSync(fixture("postprocess.json"), "utf8")) as {
  hsv_gains: [number, number, number];
  letterbox: {
    cases: {
      shape: [number, number];
      new_shape: [number, number];
      opts: { auto?: boolean; scaleup?: boolean; scaleFill?: boolean; center?: boolean };
      out_shape: [number, number];
      content_box_xyxy: [number, number, number, number];
      scale_boxes_out: [number, number, number, number][] | null;
    }[];
  };
};
const bytes = readFileSync(fixture("postprocess.safetensors"));

/** The recorded values of an entry, in file order. */
function values(name: string): { shape: number[]; data: Float32Array } {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  const { shape, data_offsets } = header[name]!;
  const [from, to] = data_offsets.map((offset) => 8 + length + offset) as [number, number];
  return { shape, data: new Float32Array(bytes.buffer.slice(bytes.byteOffset + from, bytes.byteOffset + to)) };
}

/** A recorded picture; stored blue first. */
function picture(name: string): Image {
  const { shape, data } = values(name);
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3) out.set([data[i + 2]!, data[i + 1]!, data[i]!], i);
  return { width: shape[1]!, height: shape[0]!, data: out };
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

const source = picture("image.src");

describe("resizeBilinear", () => {
  it.each(["64x64", "32x32", "74x53", "20x106", "18x26"])(
    "equals the recorded picture at %s within one level",
    (size) => {
      const expected = picture(`image.resize_linear.${size}`);
      const got = resizeBilinear(source, expected.width, expected.height);
      expect(largestDifference(got.data, expected.data)).toBeLessThanOrEqual(1);
    },
  );
});

describe("letterbox", () => {
  it("equals the recorded picture within one level", () => {
    const got = letterbox(source, placeLetterbox(source, { width: 64, height: 64 }));
    expect(largestDifference(got.data, picture("image.letterbox.64x64").data)).toBeLessThanOrEqual(1);
  });

  it.each(recorded.letterbox.cases)("places $shape in $new_shape with $opts and finds the way back", (c) => {
    const image = { width: c.shape[1], height: c.shape[0] };
    const target = { width: c.new_shape[1], height: c.new_shape[0] };
    const { auto = false, scaleFill: fill = false, scaleup = true, center = true } = c.opts;
    const placement = placeLetterbox(image, target, { auto, fill, scaleUp: scaleup, center });
    expect([placement.height, placement.width]).toEqual(c.out_shape);
    const { left, top, innerWidth, innerHeight } = placement;
    expect([left, top, left + innerWidth, top + innerHeight]).toEqual(c.content_box_xyxy);
    // Where enlarging is refused, the recorded way back divides by the factor it would have had.
    const enlarges = Math.min(target.width / image.width, target.height / image.height) > 1;
    if (c.scale_boxes_out === null || (enlarges && !scaleup)) return;
    const { width, height, scaleX } = placement;
    // The recorded way back takes its padding from the unrounded inner size, which may be one input pixel off.
    const recordedPad = (outer: number, inner: number) => Math.round((outer - inner * scaleX) / 2 - 0.1);
    const same = recordedPad(width, image.width) === left && recordedPad(height, image.height) === top;
    const tolerance = same || !center ? 1e-3 : 1.001 / scaleX;
    const boxes = [
      [10, 20, 300, 200],
      [-5, -5, 10, 10],
      [0, 0, width, height],
      [123.4, 56.7, 234.5, 167.8],
    ] as const;
    const detections = { count: boxes.length, width: 4, data: Float32Array.from(boxes.flat()) };
    const { data } = scaleToPicture(detections, { placement, picture: image });
    for (const [i, expected] of c.scale_boxes_out.entries())
      expect(largestDifference(data.subarray(4 * i, 4 * i + 4), expected)).toBeLessThan(tolerance);
  });
});

describe("colour", () => {
  it("gives the recorded 8-bit HSV within one level, hues taken round the circle", () => {
    const got = toHsv(source);
    const expected = values("image.hsv").data;
    for (let i = 0; i < got.length; i += 3) {
      const turn = Math.abs(got[i]! - expected[i]!);
      expect(Math.min(turn, 180 - turn)).toBeLessThanOrEqual(1);
      expect(largestDifference(got.subarray(i + 1, i + 3), expected.subarray(i + 1, i + 3))).toBeLessThanOrEqual(1);
    }
  });

  it("gives the recorded changed picture within one level", () => {
    const got = scaleHsv(source, recorded.hsv_gains);
    expect(largestDifference(got.data, picture("image.hsv_augmented").data)).toBeLessThanOrEqual(1);
  });

  it("keeps greys exactly", () => {
    const greys = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
    expect(fromHsv(toHsv({ width: 256, height: 1, data: greys }))).toEqual(greys);
  });
});

describe("augment", () => {
  const boxes: Box[] = [[1, 0.25, 0.125, 0.5, 0.25]];
  const off = { hsv_h: 0, hsv_s: 0, hsv_v: 0, flipud: 0, fliplr: 0 };

  it("leaves everything as it is when all strengths are 0", () => {
    expect(augment({ image: source, boxes }, off, new Generator(1))).toEqual({ image: source, boxes });
  });

  it("moves boxes with the flips, which are their own inverse", () => {
    const once = augment({ image: source, boxes }, { ...off, fliplr: 1, flipud: 1 }, new Generator(1));
    expect(once.boxes).toEqual([[1, 0.75, 0.875, 0.5, 0.25]]);
    expect(flipVertical(flipHorizontal(once.image))).toEqual(source);
  });

  it("repeats itself with the same seed", () => {
    const strong = { hsv_h: 0.1, hsv_s: 0.7, hsv_v: 0.4, flipud: 0.5, fliplr: 0.5 };
    const run = () => augment({ image: source, boxes }, strong, new Generator("a"));
    expect(run()).toEqual(run());
  });
});
