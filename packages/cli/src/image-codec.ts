// Pictures from and to bytes with @napi-rs/canvas, which takes a while to load: who may do without imports node-codec.ts. Half a picture is an error: the decoder itself would fill it up with nothing.

import { type Canvas, Image as CanvasImage, createCanvas, ImageData } from "@napi-rs/canvas";
import type { Image } from "@orepa/yolo";

/** Most pixels of a picture: 178 million, the limit at which Pillow refuses too. */
const PIXEL_LIMIT = 178_956_970;

/** JPEG, PNG, WebP, GIF, BMP, AVIF to RGB. */
export async function decode(bytes: Uint8Array): Promise<Image> {
  const picture = load(bytes);
  // Only after decoding are the natural sizes those of the picture turned by its EXIF orientation, as it is drawn.
  await picture.decode();
  const { naturalWidth: width, naturalHeight: height } = picture;
  const canvas = createCanvas(width, height);
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  // A JPEG has no transparency, so clear pixels are rows that never came.
  if (isJpeg(bytes) && data[data.length - 1] === 0) throw new Error(TRUNCATED);
  return { width, height, data: rgb(data) };
}

/** The picture as PNG (without loss) or JPEG (quality 0 to 100). */
export function encode(canvas: Canvas, file: string, quality = 92): Buffer {
  return file.endsWith(".png") ? canvas.toBuffer("image/png") : canvas.toBuffer("image/jpeg", quality);
}

/** A canvas that shows a picture. */
export function toCanvas({ width, height, data }: Image): Canvas {
  const canvas = createCanvas(width, height);
  const pixels = new Uint8ClampedArray(4 * width * height);
  for (let i = 0, from = 0; i < pixels.length; from += 3) {
    pixels[i++] = data[from]!;
    pixels[i++] = data[from + 1]!;
    pixels[i++] = data[from + 2]!;
    pixels[i++] = 255;
  }
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

/** Draws an SVG text into pixels. */
export function rasterise(svg: string): Canvas {
  const picture = load(Buffer.from(svg));
  const canvas = createCanvas(picture.naturalWidth, picture.naturalHeight);
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas;
}

const TRUNCATED = "the file ends before the picture does (truncated)";

function load(bytes: Uint8Array): CanvasImage {
  if (bytes.length === 0) throw new Error("the file is empty");
  const end = isJpeg(bytes) ? [0xff, 0xd9] : isPng(bytes) ? [0x49, 0x45, 0x4e, 0x44] : [];
  // The end mark may be followed by what some cameras append.
  if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).lastIndexOf(Buffer.from(end)) < 0)
    throw new Error(TRUNCATED);
  const picture = new CanvasImage();
  // Without a handler the setter throws; whatever it says, the size stays 0.
  picture.onerror = () => undefined;
  picture.src = Buffer.from(bytes);
  const { naturalWidth: width, naturalHeight: height } = picture;
  if (!(width > 0 && height > 0)) throw new Error("not a picture of a known format");
  if (width * height > PIXEL_LIMIT) {
    throw new Error(`${width}x${height} pixels are more than ${PIXEL_LIMIT}`);
  }
  return picture;
}

const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8;
const isPng = (bytes: Uint8Array): boolean => bytes[0] === 0x89 && bytes[1] === 0x50;

function rgb(rgba: Uint8ClampedArray): Uint8Array {
  const data = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, to = 0; i < rgba.length; i += 4) {
    data[to++] = rgba[i]!;
    data[to++] = rgba[i + 1]!;
    data[to++] = rgba[i + 2]!;
  }
  return data;
}
