// Bilinear resizing with pixel centres at half integers and no smoothing when shrinking (what cv2 calls INTER_LINEAR).
import type { Image } from "./types.ts";

/** The picture at another size. Values are rounded to the nearest level; borders repeat the edge pixel. */
export function resizeBilinear(image: Image, width: number, height: number): Image {
  if (image.width === width && image.height === height) return image;
  const columns = sampleAxis(image.width, width);
  const rows = sampleAxis(image.height, height);
  const out = new Uint8Array(width * height * 3);
  const { data } = image;
  const stride = image.width * 3;
  for (let y = 0; y < height; y++) {
    const top = rows.low[y]! * stride;
    const bottom = rows.high[y]! * stride;
    const wy = rows.weight[y]!;
    for (let x = 0; x < width; x++) {
      const left = columns.low[x]! * 3;
      const right = columns.high[x]! * 3;
      const wx = columns.weight[x]!;
      const at = (y * width + x) * 3;
      for (let c = 0; c < 3; c++) {
        const a = data[top + left + c]! * (1 - wx) + data[top + right + c]! * wx;
        const b = data[bottom + left + c]! * (1 - wx) + data[bottom + right + c]! * wx;
        out[at + c] = a * (1 - wy) + b * wy + 0.5;
      }
    }
  }
  return { width, height, data: out };
}

/** For every output position the two source positions and the weight of the second. */
function sampleAxis(from: number, to: number): { low: Int32Array; high: Int32Array; weight: Float64Array } {
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
