// Bilinear resizing with pixel centres at half integers and no smoothing when shrinking (what cv2 calls INTER_LINEAR).
import type { Image } from "./types.ts";

/** The picture at another size. Values are rounded to the nearest level; borders repeat the edge pixel. */
export function resizeBilinear(image: Image, width: number, height: number): Image {
  if (image.width === width && image.height === height) return image;
  const columns = sampleAxis(image.width, width);
  const rows = sampleAxis(image.height, height);
  const out = new Uint8Array(width * height * 3);
  // Rows of the source at the new width: the lower one of a row is often the upper one of the next.
  let upper = { row: -1, line: new Float64Array(width * 3) };
  let lower = { row: -1, line: new Float64Array(width * 3) };
  for (let y = 0; y < height; y++) {
    const low = rows.low[y]!;
    const high = rows.high[y]!;
    if (upper.row !== low) [upper, lower] = [lower, upper];
    if (upper.row !== low) resizeRow(image, low, columns, upper.line);
    if (lower.row !== high) resizeRow(image, high, columns, lower.line);
    upper.row = low;
    lower.row = high;
    blendRows(upper.line, lower.line, rows.weight[y]!, out, y * width * 3);
  }
  return { width, height, data: out };
}

/** out[at ...] = a (1 - weight) + b weight, rounded. */
function blendRows(a: Float64Array, b: Float64Array, weight: number, out: Uint8Array, at: number): void {
  for (let i = 0; i < a.length; i++) out[at + i] = (a[i]! * (1 - weight) + b[i]! * weight + 0.5) | 0;
}

/** One row of the picture at the width of the samples. */
function resizeRow({ width, data }: Image, row: number, { low, high, weight }: Samples, line: Float64Array): void {
  const start = row * width * 3;
  for (let x = 0, at = 0; x < low.length; x++) {
    const left = start + low[x]! * 3;
    const right = start + high[x]! * 3;
    const w = weight[x]!;
    line[at++] = data[left]! * (1 - w) + data[right]! * w;
    line[at++] = data[left + 1]! * (1 - w) + data[right + 1]! * w;
    line[at++] = data[left + 2]! * (1 - w) + data[right + 2]! * w;
  }
}

/** Two source positions and the weight of the second. */
interface Samples {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly weight: Float64Array;
}

/** The samples of every output position. */
function sampleAxis(from: number, to: number): Samples {
  const low = new Int32Array(to);
  const high = new Int32Array(to);
  const weight = new Float64Array(to);
  for (let i = 0; i < to; i++) {
    const position = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    low[i] = Math.floor(position);
    high[i] = Math.min(low[i]! + 1, from - 1);
    weight[i] = position - low[i]!;
  }
  return { low, high, weight };
}
