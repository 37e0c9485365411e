// Boxes find their way back into the original picture.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type PlacedPicture, postprocess, scaleToPicture } from "./postprocess.ts";

interface LetterboxCase {
  readonly shape: [height: number, width: number];
  readonly new_shape: [height: number, width: number];
  readonly out_shape: [height: number, width: number];
  readonly scale_boxes_out: number[][] | null;
}
const fixture = readFileSync(new URL("../../../../fixtures/postprocess.json", import.meta.url), "utf8");
const { letterbox } = JSON.parse(fixture) as { letterbox: { cases: LetterboxCase[] } };
const scaled = letterbox.cases.filter((c) => c.scale_boxes_out);

describe("scaleToPicture", () => {
  it.each(scaled)("maps boxes of an input of $out_shape back to a picture of $shape", (c) => {
    const [height, width] = c.shape;
    const [outHeight, outWidth] = c.out_shape;
    // The reference derives the placement from the two sizes alone, and rounds the padding.
    const gain = Math.min(outHeight / height, outWidth / width);
    const padX = Math.round((outWidth - width * gain) / 2 - 0.1);
    const padY = Math.round((outHeight - height * gain) / 2 - 0.1);
    const input = [
      [10, 20, 300, 200],
      [-5, -5, 10, 10],
      [0, 0, c.new_shape[1], c.new_shape[0]],
      [123.4, 56.7, 234.5, 167.8],
    ];
    const data = Float32Array.from(input.flatMap((box) => [...box, 0.5, 3]));
    const placed = { placement: { left: padX, top: padY, scaleX: gain, scaleY: gain }, picture: { width, height } };
    const out = scaleToPicture({ count: 4, width: 6, data }, placed).data;
    c.scale_boxes_out!.forEach((expected, i) => {
      // One float32 rounding of numbers up to a few hundred pixels, divided by the gain.
      expected.forEach((value, k) => {
        expect(Math.abs(out[6 * i + k]! - value)).toBeLessThanOrEqual(1e-4);
      });
      expect([out[6 * i + 4], out[6 * i + 5]]).toEqual([0.5, 3]);
    });
  });
});

describe("postprocess", () => {
  const placed: PlacedPicture = {
    placement: { left: 8, top: 0, scaleX: 0.5, scaleY: 0.5 },
    picture: { width: 100, height: 200 },
  };
  // Two pictures, two anchors: cx, cy, w, h, two classes.
  const output = Float32Array.of(
    ...[28, 90, 20, 90, 20, 20, 20, 20, 0.9, 0.1, 0.2, 0.6],
    ...[28, 28, 20, 20, 20, 20, 20, 20, 0.9, 0.8, 0.1, 0.1],
  );

  it("gives each picture its boxes by falling confidence, clipped", () => {
    const images = postprocess(output, [2, 6, 2], [placed, placed], { nc: 2 });
    expect(images.map((boxes) => boxes.map((box) => box.map((v) => Math.round(v * 1000) / 1000)))).toEqual([
      [
        [20, 20, 60, 60, 0.9, 0],
        [100, 160, 100, 200, 0.6, 1],
      ],
      [[20, 20, 60, 60, 0.9, 0]],
    ]);
  });

  it("wants one placement for each picture", () => {
    expect(() => postprocess(output, [2, 6, 2], [placed], { nc: 2 })).toThrow(/expected 2 placements/);
  });
});
