// The three convolutions as products of packed panels: y = w * columns(x), columns(x)' += w' * ct, w = ct * columns(x)'.
// A few images at a time are padded, cut into blocks of pixels and taps that stay in the cache, and multiplied.
import { multiplyPanels, packPanels, padTo, scratch, TILE_COLUMNS, TILE_ROWS } from "../matmul/panels.ts";
import type { FloatArray } from "../strided.ts";
import { addColumns, packPixels, packTaps, tapOffsets, windowBases } from "./columns.ts";
import * as depthwise from "./depthwise.ts";
import type { ConvGeometry } from "./geometry.ts";
import { cropInto, paddedSize, padInto } from "./padded.ts";
import { packChannelPanels, packPixelPanels, storePixels } from "./pixels.ts";

// 128 x 256 doubles of a packed block are 256 KB: half of a usual second-level cache.
const BLOCK_PIXELS = 128;
const BLOCK_DEPTH = 256;

// A 1 x 1 kernel reads pixels as they lie: no columns to make.
const isPointwise = ({ kh, kw, stride, padding }: ConvGeometry) =>
  kh === 1 && kw === 1 && stride[0] === 1 && stride[1] === 1 && padding[0] === 0 && padding[1] === 0;
const isDepthwise = ({ C, O, groups }: ConvGeometry) => groups === C && O === C;

/** Sizes, tables and the padded scratch of one convolution; a chunk is as many images as fill a block of pixels. */
function layout(g: ConvGeometry) {
  const { Hp, Wp } = paddedSize(g);
  const channels = g.C / g.groups;
  const area = g.Ho * g.Wo;
  const images = Math.min(g.N, Math.max(1, Math.floor(BLOCK_PIXELS / area)));
  const size = isPointwise(g) ? 0 : images * channels * Hp * Wp;
  const padded = scratch("padded", size).fill(0, 0, size);
  const pad = (x: FloatArray, n: number, count: number, group: number) => {
    if (isPointwise(g)) return;
    for (let b = 0; b < count; b++)
      padInto(x, ((n + b) * g.C + group * channels) * g.H * g.W, channels, g, padded, b * channels * Hp * Wp);
  };
  return {
    ...{ Hp, Wp, channels, area, images, padded, pad },
    outputs: g.O / g.groups,
    K: channels * g.kh * g.kw,
    base: windowBases(g, images),
    tap: tapOffsets(g),
  };
}

/** y = conv(x, w): x [N, C, H, W], w [O, C / groups, kh, kw], y [N, O, Ho, Wo], all contiguous; sums in double. */
export function conv2d(x: FloatArray, w: FloatArray, y: FloatArray, g: ConvGeometry): void {
  if (isDepthwise(g)) {
    depthwise.conv2d(x, w, y, g);
    return;
  }
  const { area, images, channels, outputs, K, base, tap, padded, pad } = layout(g);
  const rows = padTo(outputs, TILE_ROWS);
  const weights = scratch("a", rows * K);
  const columns = scratch("b", BLOCK_PIXELS * BLOCK_DEPTH);
  const C = scratch("c", rows * BLOCK_PIXELS);
  const store = storePixels(y);
  const packInput = packPixelPanels(x);
  const pointwise = isPointwise(g);
  for (let group = 0; group < g.groups; group++) {
    for (let k = 0; k < K; k += BLOCK_DEPTH) {
      const depth = Math.min(BLOCK_DEPTH, K - k);
      const sizes = { rows: outputs, K: depth, row: K, step: 1, tile: TILE_ROWS };
      packPanels(w, group * outputs * K + k, sizes, weights, rows * k);
    }
    for (let n = 0; n < g.N; n += images) {
      const count = Math.min(images, g.N - n);
      pad(x, n, count, group);
      for (let p = 0; p < count * area; p += BLOCK_PIXELS) {
        const end = Math.min(p + BLOCK_PIXELS, count * area);
        const width = padTo(end - p, TILE_COLUMNS);
        C.fill(0, 0, rows * width);
        for (let k = 0; k < K; k += BLOCK_DEPTH) {
          const depth = Math.min(BLOCK_DEPTH, K - k);
          const from = (n * g.C + group * channels + k) * area;
          if (pointwise) packInput(x, from, depth, area, g.C * area, p, end, columns);
          else packPixels(padded, base, p, end, tap, k, k + depth, columns);
          multiplyPanels(weights, rows * k, columns, 0, C, 0, width, rows / TILE_ROWS, width / TILE_COLUMNS, depth);
        }
        store(C, width, y, (n * g.O + group * outputs) * area, outputs, area, g.O * area, p, end);
      }
    }
  }
}

/** x = the adjoint of conv2d in x applied to ct [N, O, Ho, Wo]: the gradient of the input. */
export function convInput(ct: FloatArray, w: FloatArray, x: FloatArray, g: ConvGeometry): void {
  const mirror = mirrored(g);
  if (mirror) {
    conv2d(ct, flipped(w, g), x, mirror);
    return;
  }
  if (isDepthwise(g)) {
    depthwise.convInput(ct, w, x, g);
    return;
  }
  const { area, images, outputs, channels, K, base, tap, padded, Hp, Wp } = layout(g);
  const rows = padTo(K, TILE_ROWS);
  const weights = scratch("a", rows * outputs);
  const pixels = scratch("b", padTo(BLOCK_PIXELS, TILE_COLUMNS) * outputs);
  const C = scratch("c", BLOCK_DEPTH * BLOCK_PIXELS);
  const pack = packPixelPanels(ct);
  for (let group = 0; group < g.groups; group++) {
    const sizes = { rows: K, K: outputs, row: 1, step: K, tile: TILE_ROWS };
    packPanels(w, group * outputs * K, sizes, weights, 0);
    for (let n = 0; n < g.N; n += images) {
      const count = Math.min(images, g.N - n);
      padded.fill(0, 0, count * channels * Hp * Wp);
      for (let p = 0; p < count * area; p += BLOCK_PIXELS) {
        const end = Math.min(p + BLOCK_PIXELS, count * area);
        const width = padTo(end - p, TILE_COLUMNS);
        const at = (n * g.O + group * outputs) * area;
        pack(ct, at, outputs, area, g.O * area, p, end, pixels);
        for (let k = 0; k < K; k += BLOCK_DEPTH) {
          const last = Math.min(k + BLOCK_DEPTH, K);
          const height = padTo(last - k, TILE_ROWS);
          C.fill(0, 0, height * width);
          multiplyPanels(
            weights,
            k * outputs,
            pixels,
            0,
            C,
            0,
            width,
            height / TILE_ROWS,
            width / TILE_COLUMNS,
            outputs,
          );
          addColumns(C, width, base, p, end, tap, k, last, padded);
        }
      }
      for (let b = 0; b < count; b++)
        cropInto(padded, b * channels * Hp * Wp, channels, g, x, ((n + b) * g.C + group * channels) * g.H * g.W);
    }
  }
}

// At stride 1 the adjoint is itself a convolution: of ct, by the flipped kernel with its channel axes exchanged, under the
// padding d (k - 1) - p. That spares adding columns back.   (Dumoulin, Visin 2016, section 4.2)
function mirrored(g: ConvGeometry): ConvGeometry | undefined {
  const padding = [g.dilation[0] * (g.kh - 1) - g.padding[0], g.dilation[1] * (g.kw - 1) - g.padding[1]] as const;
  if (g.stride[0] !== 1 || g.stride[1] !== 1 || padding[0] < 0 || padding[1] < 0) return undefined;
  return { ...g, padding, C: g.O, H: g.Ho, W: g.Wo, O: g.C, Ho: g.H, Wo: g.W };
}

/** The weight of the mirrored convolution, [C, O / groups, kh, kw]. */
function flipped(w: FloatArray, { C, O, kh, kw, groups }: ConvGeometry): Float64Array {
  const channels = C / groups;
  const outputs = O / groups;
  const taps = kh * kw;
  const out = new Float64Array(w.length);
  for (let o = 0; o < O; o++)
    for (let c = 0; c < channels; c++) {
      const from = (o * channels + c) * taps;
      const to = ((Math.floor(o / outputs) * channels + c) * outputs + (o % outputs)) * taps + taps - 1;
      for (let k = 0; k < taps; k++) out[to - k] = w[from + k]!;
    }
  return out;
}

/** w = the adjoint of conv2d in w applied to ct [N, O, Ho, Wo]: the gradient of the weight, summed over the batch. */
export function convWeight(x: FloatArray, ct: FloatArray, w: FloatArray, g: ConvGeometry): void {
  if (isDepthwise(g)) {
    depthwise.convWeight(x, ct, w, g);
    return;
  }
  const { area, images, channels, outputs, K, base, tap, padded, pad } = layout(g);
  const rows = padTo(outputs, TILE_ROWS);
  const pixels = scratch("a", rows * BLOCK_PIXELS);
  const columns = scratch("b", BLOCK_PIXELS * padTo(BLOCK_DEPTH, TILE_COLUMNS));
  const width = padTo(K, TILE_COLUMNS);
  const C = scratch("c", rows * width);
  const pack = packChannelPanels(ct);
  const packInput = packChannelPanels(x);
  const pointwise = isPointwise(g);
  for (let group = 0; group < g.groups; group++) {
    C.fill(0, 0, rows * width);
    for (let n = 0; n < g.N; n += images) {
      const count = Math.min(images, g.N - n);
      pad(x, n, count, group);
      for (let p = 0; p < count * area; p += BLOCK_PIXELS) {
        const end = Math.min(p + BLOCK_PIXELS, count * area);
        const at = (n * g.O + group * outputs) * area;
        pack(ct, at, outputs, area, g.O * area, p, end, TILE_ROWS, pixels);
        for (let k = 0; k < K; k += BLOCK_DEPTH) {
          const last = Math.min(k + BLOCK_DEPTH, K);
          const from = (n * g.C + group * channels + k) * area;
          if (pointwise) packInput(x, from, last - k, area, g.C * area, p, end, TILE_COLUMNS, columns);
          else packTaps(padded, base, p, end, tap, k, last, columns);
          const panels = padTo(last - k, TILE_COLUMNS) / TILE_COLUMNS;
          multiplyPanels(pixels, 0, columns, 0, C, k, width, rows / TILE_ROWS, panels, end - p);
        }
      }
    }
    for (let o = 0; o < outputs; o++) for (let k = 0; k < K; k++) w[(group * outputs + o) * K + k] = C[o * width + k]!;
  }
}
