// Decoding and encoding pictures: colours, orientation, broken files.
import { createCanvas } from "@napi-rs/canvas";
import { describe, expect, test } from "vitest";
import { decode, encode, rasterise, toCanvas } from "./image-codec.ts";

/** A picture of noise, so that its files are long and cut in the middle of data. */
function noise(side: number) {
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * 2654435761) >>> 24);
  return { width: side, height: side, data };
}

test("a PNG of opaque pixels comes back byte for byte", async () => {
  const picture = noise(37);
  expect(await decode(encode(toCanvas(picture), "x.png"))).toEqual(picture);
});

test("a JPEG comes back at its size and near its colours", async () => {
  const canvas = createCanvas(40, 20);
  canvas.getContext("2d").fillStyle = "#c86432";
  canvas.getContext("2d").fillRect(0, 0, 40, 20);
  const picture = await decode(encode(canvas, "x.jpg"));
  expect([picture.width, picture.height]).toEqual([40, 20]);
  [200, 100, 50].forEach((value, c) => {
    expect(Math.abs(picture.data[c]! - value)).toBeLessThanOrEqual(3);
  });
});

describe("half a file is an error, not half a picture", () => {
  const files = ["x.jpg", "x.png"].map((name) => encode(toCanvas(noise(64)), name));
  test.each([0.99, 0.9, 0.5, 0.3])("cut after %d of its bytes", async (share) => {
    for (const bytes of files) {
      await expect(decode(bytes.subarray(0, Math.floor(bytes.length * share)))).rejects.toThrow("truncated");
    }
  });

  test("bytes after the end mark are none of our business", async () => {
    const picture = await decode(Buffer.concat([files[0]!, Buffer.from("appended by a camera")]));
    expect(picture.width).toBe(64);
  });
});

test.each([
  [1, 40, 20, "red", "blue"],
  [3, 40, 20, "blue", "red"],
  [6, 20, 40, "red", "blue"],
  [8, 20, 40, "blue", "red"],
] as const)("EXIF orientation %d: the picture is upright, %d x %d", async (orientation, width, height, first, last) => {
  const canvas = createCanvas(40, 20);
  const context = canvas.getContext("2d");
  context.fillStyle = "#f00";
  context.fillRect(0, 0, 20, 20);
  context.fillStyle = "#00f";
  context.fillRect(20, 0, 20, 20);
  const jpeg = encode(canvas, "x.jpg", 95);
  // One APP1 segment: Exif, big-endian TIFF, one entry: tag 0x0112 (orientation), type short.
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  const exif = Buffer.concat([Buffer.from("Exif\0\0", "latin1"), Buffer.from(tiff)]);
  const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0, exif.length + 2]), exif]);
  const picture = await decode(Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]));
  expect([picture.width, picture.height]).toEqual([width, height]);
  const colour = (at: number) => (picture.data[at]! > picture.data[at + 2]! ? "red" : "blue");
  expect([colour(0), colour(picture.data.length - 3)]).toEqual([first, last]);
});

test("what is no picture is refused with a reason", async () => {
  await expect(decode(Buffer.from("hello, this is a text"))).rejects.toThrow("not a picture of a known format");
  await expect(decode(new Uint8Array())).rejects.toThrow("empty");
});

test("SVG is drawn into pixels", () => {
  const canvas = rasterise(
    '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"><rect width="4" height="2" fill="#f00"/></svg>',
  );
  expect([...canvas.getContext("2d").getImageData(1, 1, 1, 1).data]).toEqual([255, 0, 0, 255]);
});
