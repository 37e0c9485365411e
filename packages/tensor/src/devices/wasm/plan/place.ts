// Where a tensor lies in memory: one kind of place for every layout. A place is a storage seen through a stride per
// logical axis, so that NHWC, channel slices, transposes and broadcasts are all views; kernels read the strides.
import type { Pair } from "../../../primitives/conv/geometry.ts";
import type { Shape } from "../../../shape.ts";
import { rowMajor, sizeOf } from "../../../shape.ts";

/** A block of memory. The arena planner sets the address of those that live for some steps of a run only. */
export interface Storage {
  readonly bytes: number;
  /** Byte address; final once the plan is made. */
  address: number;
  /** First and last step that touches it; -1 if none does. */
  first: number;
  last: number;
  /** Lives as long as the program or the device: its address is fixed from the start. */
  readonly persistent: boolean;
}

/** Every dtype lies as float32; int32 and bool are whole numbers, exact up to 2^24. */
export interface Place {
  readonly storage: Storage;
  readonly shape: Shape;
  /** Floats from one index to the next, per logical axis; 0 repeats, negative runs backwards. */
  readonly strides: readonly number[];
  /** Floats from the start of the storage to element [0, ..., 0]. */
  readonly offset: number;
  /** Rows above and below, columns left and right of the map (the last two axes) that hold zeros. */
  readonly border: Pair;
}

const NO_BORDER: Pair = [0, 0];
/** Storages start on a cache line. */
const LINE = 64;
/** Bytes that a kernel may read past the last element. */
const PAST_END = 32;

/** Byte address of element [0, ..., 0]. */
export const addressOf = ({ storage, offset }: Place): number => storage.address + 4 * offset;

/** A whole storage, row-major. */
export const rowMajorPlace = (storage: Storage, shape: Shape): Place => ({
  storage,
  shape,
  strides: rowMajor(shape),
  offset: 0,
  border: NO_BORDER,
});

/** Whether the elements lie row-major without gaps (axes of size 1 do not matter). */
export const isRowMajor = ({ shape, strides }: Place): boolean => {
  const packed = rowMajor(shape);
  return shape.every((n, axis) => n === 1 || strides[axis] === packed[axis]);
};

/** Floats of a map [N, C, H, W] that lies NHWC with a border and `channels` floats from pixel to pixel. */
export const mapFloats = ([N, , H, W]: Shape, channels: number, [top, left]: Pair): number =>
  N! * (H! + 2 * top) * (W! + 2 * left) * channels;

/** A map as kernels see it: byte address of pixel (0, 0) of the first image, and byte steps. */
export interface MapSteps {
  readonly at: number;
  readonly image: number;
  readonly row: number;
  readonly pixel: number;
}
/** The steps of a map [N, C, H, W], from the pixel `before` rows and columns ahead of the first. */
export function mapSteps(p: Place, before: Pair = NO_BORDER): MapSteps {
  const [image, , row, pixel] = p.strides as [number, number, number, number];
  const at = addressOf(p) - 4 * (before[0] * row + before[1] * pixel);
  return { at, image: 4 * image, row: 4 * row, pixel: 4 * pixel };
}

/** Bytes of a storage of so many floats: a vector load past the last one stays inside. */
export const storageBytes = (floats: number): number => Math.ceil((4 * floats + PAST_END) / LINE) * LINE;

/** A storage as a map [N, C, H, W]: pixels apart by `channels` floats, zeros around. */
export function mapPlace(storage: Storage, shape: Shape, channels: number, border: Pair): Place {
  const [, , H, W] = shape as [number, number, number, number];
  const row = (W + 2 * border[1]) * channels;
  return {
    storage,
    shape,
    strides: [row * (H + 2 * border[0]), 1, row, channels],
    offset: border[0] * row + border[1] * channels,
    border,
  };
}

export const permutePlace = (p: Place, order: readonly number[]): Place => ({
  ...p,
  shape: order.map((axis) => p.shape[axis]!),
  strides: order.map((axis) => p.strides[axis]!),
  border: NO_BORDER,
});

/** Elements start, start + step, ... below end of one axis. Slices of images and channels keep a map's border. */
export function slicePlace(p: Place, axis: number, start: number, end: number, step = 1): Place {
  const n = Math.max(0, Math.ceil((end - start) / step));
  return {
    ...p,
    shape: p.shape.map((size, i) => (i === axis ? n : size)),
    strides: p.strides.map((stride, i) => (i === axis ? stride * step : stride)),
    offset: p.offset + start * p.strides[axis]!,
    border: axis < p.shape.length - 2 ? p.border : NO_BORDER,
  };
}

export function flipPlace(p: Place, axes: readonly number[]): Place {
  const flipped = (axis: number) => axes.includes(axis);
  return {
    ...p,
    strides: p.strides.map((stride, axis) => (flipped(axis) ? -stride : stride)),
    offset: p.strides.reduce((at, stride, axis) => at + (flipped(axis) ? (p.shape[axis]! - 1) * stride : 0), p.offset),
    border: NO_BORDER,
  };
}

/** The shape has as many axes; an axis of 1 may become any size. */
export const expandPlace = (p: Place, shape: Shape): Place => ({
  ...p,
  shape,
  strides: shape.map((n, axis) => (p.shape[axis] === n ? p.strides[axis]! : 0)),
  border: NO_BORDER,
});

/** The same elements under another shape, if strides can say so: axes that lie one in the other merge, axes cut freely. */
export function reshapePlace(p: Place, shape: Shape): Place | undefined {
  if (p.shape.length === shape.length && p.shape.every((n, axis) => n === shape[axis])) return p;
  if (sizeOf(shape) === 0) return { ...p, shape, strides: rowMajor(shape), border: NO_BORDER };
  const merged: { n: number; stride: number }[] = [];
  for (const [axis, n] of p.shape.entries()) {
    if (n === 1) continue;
    const outer = merged.at(-1);
    if (outer && outer.stride === n * p.strides[axis]!) {
      outer.n *= n;
      outer.stride = p.strides[axis]!;
    } else merged.push({ n, stride: p.strides[axis]! });
  }
  // Last axis first: every new axis takes a part of the innermost run that is not used up.
  const strides: number[] = shape.map(() => 0);
  let run = merged.pop();
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const n = shape[axis]!;
    if (n === 1) continue;
    if (run?.n === 1) run = merged.pop();
    if (!run || run.n % n !== 0) return undefined;
    strides[axis] = run.stride;
    run.stride *= n;
    run.n /= n;
  }
  return { ...p, shape, strides, border: NO_BORDER };
}
