// Depthwise convolutions 3 x 3 over maps that lie channels last, four channels at a time.
import type { MapSteps } from "../plan/place.ts";
import { type Machine, share } from "./machine.ts";

/** Bytes of nine vectors of four channels: the weights, or the sums of their gradient. */
const VECTOR_BYTES = 9 * 16;
/** Source bytes whose rows stay in the cache while all channels pass over them. */
const BLOCK_BYTES = 64 * 1024;

interface Depthwise {
  /** The first window, and steps from window to window. */
  readonly x: MapSteps;
  /** Bytes of x from tap to tap. */
  readonly right: number;
  readonly down: number;
  readonly images: number;
  readonly rows: number;
  readonly columns: number;
  /** Channels / 4. */
  readonly vectors: number;
}
export interface DepthwiseStep extends Depthwise {
  readonly op: "depthwise";
  /** Weights [vectors][9][4]. */
  readonly w: number;
  readonly y: MapSteps;
}
export interface DepthwiseWeightStep extends Depthwise {
  readonly op: "depthwiseWeight";
  readonly ct: MapSteps;
  /** Sums [vectors][9][4]. */
  readonly dw: number;
}

const blockOf = ({ x }: Depthwise): number => Math.max(1, Math.floor(BLOCK_BYTES / Math.abs(x.row)));

/** Threads share the rows of all images. */
export function runDepthwise(step: DepthwiseStep, machine: Machine): void {
  const { x, y, w, rows, columns, vectors, right, down } = step;
  const [from, to] = share(step.images * rows, machine);
  const block = blockOf(step);
  for (let at = from; at < to; ) {
    const n = Math.floor(at / rows);
    const row = at - n * rows;
    const count = Math.min(block, rows - row, to - at);
    for (let vector = 0; vector < vectors; vector++)
      machine.kernels.depthwise({
        x: x.at + n * x.image + row * x.row + 16 * vector,
        w: w + VECTOR_BYTES * vector,
        y: y.at + n * y.image + row * y.row + 16 * vector,
        rows: count,
        pixels: columns,
        xRow: x.row,
        xPixel: x.pixel,
        yRow: y.row,
        yPixel: y.pixel,
        right,
        down,
      });
    at += count;
  }
}

/** Threads share the channels, so nothing is added up between them. */
export function runDepthwiseWeight(step: DepthwiseWeightStep, machine: Machine): void {
  const { x, ct, dw, rows, columns, right, down } = step;
  const [from, to] = share(step.vectors, machine);
  machine.floats.fill(0, (dw + VECTOR_BYTES * from) / 4, (dw + VECTOR_BYTES * to) / 4);
  const block = blockOf(step);
  for (let n = 0; n < step.images; n++)
    for (let row = 0; row < rows; row += block)
      for (let vector = from; vector < to; vector++)
        machine.kernels.depthwiseWeight({
          x: x.at + n * x.image + row * x.row + 16 * vector,
          ct: ct.at + n * ct.image + row * ct.row + 16 * vector,
          dw: dw + VECTOR_BYTES * vector,
          rows: Math.min(block, rows - row),
          pixels: columns,
          xRow: x.row,
          xPixel: x.pixel,
          ctRow: ct.row,
          ctPixel: ct.pixel,
          right,
          down,
        });
}
