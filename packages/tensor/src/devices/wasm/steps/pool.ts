// Max pooling of maps whose channels lie side by side, and its adjoints.
import type { Pair } from "../../../primitives/conv/geometry.ts";
import type { Loop } from "../plan/loops.ts";
import { type Machine, share } from "./machine.ts";
import { eachTurn, turnsOf } from "./walk.ts";

/** A map in memory: byte address of its first pixel, bytes from image to image, row to row and pixel to pixel. */
export interface MapSpan {
  readonly at: number;
  readonly image: number;
  readonly row: number;
  readonly pixel: number;
}
interface Windows {
  readonly N: number;
  readonly C: number;
  /** Size of the large map and of the pooled one. */
  readonly large: Pair;
  readonly small: Pair;
  readonly size: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
}
export interface MaxPoolStep extends Windows {
  readonly op: "maxPool";
  readonly x: MapSpan;
  readonly y: MapSpan;
  readonly index: MapSpan;
  /** Byte address of the maxima of rows, `poolScratch` floats. */
  readonly scratch: number;
}
export interface MaxUnpoolStep extends Windows {
  readonly op: "maxUnpool";
  readonly ct: MapSpan;
  readonly index: MapSpan;
  readonly x: MapSpan;
}
export interface MaxGatherStep {
  readonly op: "maxGather";
  /** Float indices of the first elements. */
  readonly x: number;
  readonly y: number;
  readonly index: number;
  /** Loops over the windows, floats of [y, index, x] per turn. */
  readonly loops: readonly Loop[];
  /** Columns of x, and floats from row to row and column to column. */
  readonly columns: number;
  readonly row: number;
  readonly column: number;
}

/** Channels that are pooled at a time. */
const BLOCK = 32;
/** Floats of one block's maxima along the rows. */
const blockFloats = ({ large, small }: Windows): number => large[0] * small[1] * BLOCK;
/** Blocks of a map: threads share them. */
const blocksOf = ({ C }: Windows): number => Math.ceil(C / BLOCK);
/** Floats that `maxPool` needs: maxima and indices of every block. */
export const poolScratch = (w: Windows): number => 2 * w.N * blocksOf(w) * blockFloats(w);

/** The taps of a window that lie inside: [first, count]. */
function tapsOf({ large, size, stride, padding }: Windows, axis: 0 | 1, place: number): readonly [number, number] {
  const start = place * stride[axis] - padding[axis];
  const first = Math.max(0, start);
  return [first, Math.min(large[axis], start + size[axis]) - first];
}

/** Along the rows first, then along the columns of what that gives: the first of equals in reading order wins. */
export function runMaxPool(step: MaxPoolStep, machine: Machine): void {
  const { x, y, index, C, large, small, size, stride } = step;
  const { kernels } = machine;
  const [H, W] = large;
  const [Ho, Wo] = small;
  const blocks = blocksOf(step);
  const [from, to] = share(step.N * blocks, machine);
  for (let unit = from; unit < to; unit++) {
    const n = Math.floor(unit / blocks);
    const c = (unit % blocks) * BLOCK;
    const channels = Math.min(BLOCK, C - c);
    const best = step.scratch + 8 * unit * blockFloats(step);
    const bestIndex = best + 4 * blockFloats(step);
    const pixel = 4 * channels;
    for (let i = 0; i < H; i++)
      for (let j = 0, pixels = 1; j < Wo; j += pixels) {
        const [first, taps] = tapsOf(step, 1, j);
        pixels = 1;
        // Windows that lie inside the map follow in one call.
        if (taps === size[1]) while (j + pixels < Wo && tapsOf(step, 1, j + pixels)[1] === taps) pixels++;
        const at = (i * Wo + j) * pixel;
        kernels.maxAlong({
          x: x.at + n * x.image + i * x.row + first * x.pixel + 4 * c,
          index: 0,
          y: best + at,
          yIndex: bestIndex + at,
          pixels,
          channels,
          xStep: stride[1] * x.pixel,
          yStep: pixel,
          yIndexStep: pixel,
          taps,
          tap: x.pixel,
          position: i * W + first,
          positionStep: stride[1],
        });
      }
    for (let i = 0; i < Ho; i++) {
      const [first, taps] = tapsOf(step, 0, i);
      kernels.maxAlongIndexed({
        x: best + first * Wo * pixel,
        index: bestIndex + first * Wo * pixel,
        y: y.at + n * y.image + i * y.row + 4 * c,
        yIndex: index.at + n * index.image + i * index.row + 4 * c,
        pixels: Wo,
        channels,
        xStep: pixel,
        yStep: y.pixel,
        yIndexStep: index.pixel,
        taps,
        tap: Wo * pixel,
        position: 0,
        positionStep: 0,
      });
    }
  }
}

/** The windows that cover a place of the large map: [first, count]. */
function covering({ small, size, stride, padding }: Windows, axis: 0 | 1, place: number): readonly [number, number] {
  const end = place + padding[axis];
  const first = Math.max(0, Math.ceil((end - size[axis] + 1) / stride[axis]));
  return [first, Math.max(0, Math.min(small[axis] - 1, Math.floor(end / stride[axis])) - first + 1)];
}

export function runMaxUnpool(step: MaxUnpoolStep, machine: Machine): void {
  const { ct, index, x, C: channels, large } = step;
  const [H, W] = large;
  const across = Array.from({ length: W }, (_, j) => covering(step, 1, j));
  const [from, to] = share(step.N * H, machine);
  for (let line = from; line < to; line++) {
    const n = Math.floor(line / H);
    const i = line % H;
    const [top, rows] = covering(step, 0, i);
    for (let j = 0; j < W; j++) {
      const [left, columns] = across[j]!;
      machine.kernels.unpool({
        ct: ct.at + n * ct.image + top * ct.row + left * ct.pixel,
        index: index.at + n * index.image + top * index.row + left * index.pixel,
        x: x.at + n * x.image + i * x.row + j * x.pixel,
        rows,
        columns,
        ctRow: ct.row,
        ctPixel: ct.pixel,
        indexRow: index.row,
        indexPixel: index.pixel,
        position: i * W + j,
        channels,
      });
    }
  }
}

export function runMaxGather(step: MaxGatherStep, machine: Machine): void {
  const { floats } = machine;
  const { columns, row, column } = step;
  const outer = step.loops.slice(0, -1);
  const { n, strides } = step.loops.at(-1)!;
  const [toY, toIndex, toX] = strides as [number, number, number];
  eachTurn(outer, share(turnsOf(outer), machine), ([y = 0, index = 0, x = 0]) => {
    for (let i = 0; i < n; i++) {
      const place = floats[step.index + index + i * toIndex]!;
      const at = step.x + x + i * toX + Math.floor(place / columns) * row + (place % columns) * column;
      floats[step.y + y + i * toY] = floats[at]!;
    }
  });
}
