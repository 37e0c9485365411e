import { createCanvas } from "@napi-rs/canvas";
import { describe, expect, test } from "vitest";
import { encode, nodeCodec, rasterise, toCanvas } from "./image-codec.ts";

/** A picture of noise, so that its files are long and cut in the middle of data. */
function noise(side: number) {
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * 2654435761) >>> 24);
  return { width: side, height: side, data };
}

test("a PNG of opaque pixels comes back byte for byte", async () => {
  const picture = noise(37);
  expect(await nodeCodec.decode(encode(toCanvas(picture), "x.png"))).toEqual(picture);
});

test("a JPEG comes back at its size and near its colours", async () => {
  const canvas = createCanvas(40, 20);
  canvas.getContext("2d").fillStyle = "#c86432";
  canvas.getContext("2d").fillRect(0, 0, 40, 20);
  const picture = await nodeCodec.decode(encode(canvas, "x.jpg"));
  expect([picture.width, picture.height]).toEqual([40, 20]);
  [200, 100, 50].forEach((value, c) => {
    expect(Math.abs(picture.data[c]! - value)).toBeLessThanOrEqual(3);
  });
});

describe("half a file is an error, not half a picture", () => {
  const files = ["x.jpg", "x.png"].map((name) => encode(toCanvas(noise(64)), name));
  test.each([0.99, 0.9, 0.5, 0.3])("cut after %d of its bytes", async (share) => {
    for (const bytes of files) {
      await expect(nodeCodec.decode(bytes.subarray(0, Math.floor(bytes.length * share)))).rejects.toThrow("truncated");
    }
  });

  test("bytes after the end mark are none of our business", async () => {
    const picture = await nodeCodec.decode(Buffer.concat([files[0]!, Buffer.from("appended by a camera")]));
    expect(picture.width).toBe(64);
  });
});

test("what is no picture is refused with a reason", async () => {
  await expect(nodeCodec.decode(Buffer.from("hello, this is a text"))).rejects.toThrow("cannot be decoded");
  await expect(nodeCodec.decode(new Uint8Array())).rejects.toThrow("empty");
});

test("SVG is drawn into pixels", () => {
  const canvas = rasterise(
    '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"><rect width="4" height="2" fill="#f00"/></svg>',
  );
  expect([...canvas.getContext("2d").getImageData(1, 1, 1, 1).data]).toEqual([255, 0, 0, 255]);
});
