// Max pooling with its two adjoints, and the pair nearest upsampling / block sums: contiguous planes, NCHW.
// The loops refer to nothing outside themselves: each pair of array types gets a copy of its own.
import { copyFunction, perArrayTypes } from "../jit.ts";
import type { Problem } from "../problem.ts";
import type { FloatArray } from "../strided.ts";

type Pair = readonly [number, number];

/** Parameters of a max pool, each pair as [height, width]. */
export interface PoolParams {
  readonly size: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
}

/** `planes` inputs of H x W, outputs of Ho x Wo. */
export interface PoolGeometry extends PoolParams {
  readonly planes: number;
  readonly H: number;
  readonly W: number;
  readonly Ho: number;
  readonly Wo: number;
}

/** The geometry of a max pool over x [N, C, H, W], or why there is none. */
export function poolGeometry(x: readonly number[], { size, stride, padding }: PoolParams): PoolGeometry | Problem {
  if (x.length !== 4) return { expected: "an input of 4 dims [N, C, H, W]", got: `[${x.join(", ")}]` };
  const [N, C, H, W] = x as [number, number, number, number];
  const whole = (pair: Pair, least: number) => pair.every((v) => Number.isInteger(v) && v >= least);
  if (!whole(size, 1)) return { expected: "size of whole numbers >= 1", got: `[${size.join(", ")}]` };
  if (!whole(stride, 1)) return { expected: "stride of whole numbers >= 1", got: `[${stride.join(", ")}]` };
  if (!whole(padding, 0)) return { expected: "padding of whole numbers >= 0", got: `[${padding.join(", ")}]` };
  if (2 * padding[0] > size[0] || 2 * padding[1] > size[1])
    return {
      expected: "padding of at most half the window",
      got: `padding [${padding.join(", ")}], size [${size.join(", ")}]`,
    };
  const Ho = Math.floor((H + 2 * padding[0] - size[0]) / stride[0]) + 1;
  const Wo = Math.floor((W + 2 * padding[1] - size[1]) / stride[1]) + 1;
  if (Ho < 1 || Wo < 1)
    return {
      expected: "a window that fits into the padded input",
      got: `window ${size[0]} x ${size[1]} on input ${H} x ${W}`,
    };
  return { planes: N * C, H, W, Ho, Wo, size, stride, padding };
}

// Rows first, columns second: the topmost of the leftmost maxima is the first maximum of the window.
function maxPoolLoop(x: FloatArray, y: FloatArray, index: Int32Array, g: PoolGeometry): void {
  const { planes, H, W, Ho, Wo, size, stride, padding } = g;
  const rowBest = new Float64Array(H * Wo);
  const rowAt = new Int32Array(H * Wo);
  for (let p = 0; p < planes; p++) {
    const plane = (p * H * W) | 0;
    for (let i = 0; i < H; i++)
      for (let j = 0; j < Wo; j++) {
        const left = j * stride[1] - padding[1];
        const end = (i * W + Math.min(W, left + size[1])) | 0;
        let at = (i * W + Math.max(0, left)) | 0;
        let best = x[plane + at]!;
        for (let q = (at + 1) | 0; q < end; q++) {
          const value = x[plane + q]!;
          if (value > best || (Number.isNaN(value) && !Number.isNaN(best))) {
            best = value;
            at = q;
          }
        }
        rowBest[i * Wo + j] = best;
        rowAt[i * Wo + j] = at;
      }
    for (let i = 0; i < Ho; i++) {
      const top = i * stride[0] - padding[0];
      const first = Math.max(0, top) * Wo;
      const end = Math.min(H, top + size[0]) * Wo;
      for (let j = 0; j < Wo; j++) {
        let at = (first + j) | 0;
        let best = rowBest[at]!;
        for (let q = (at + Wo) | 0; q < end; q = (q + Wo) | 0) {
          const value = rowBest[q]!;
          if (value > best || (Number.isNaN(value) && !Number.isNaN(best))) {
            best = value;
            at = q;
          }
        }
        const o = ((p * Ho + i) * Wo + j) | 0;
        y[o] = best;
        index[o] = rowAt[at]!;
      }
    }
  }
}

function maxUnpoolLoop(ct: FloatArray, index: Int32Array, x: FloatArray, g: PoolGeometry): void {
  const { planes, H, W, Ho, Wo } = g;
  for (let p = 0; p < planes; p++)
    for (let i = p * Ho * Wo; i < (p + 1) * Ho * Wo; i++) {
      const at = p * H * W + index[i]!;
      x[at] = x[at]! + ct[i]!;
    }
}

function maxGatherLoop(x: FloatArray, index: Int32Array, y: FloatArray, g: PoolGeometry): void {
  const { planes, H, W, Ho, Wo } = g;
  for (let p = 0; p < planes; p++)
    for (let i = p * Ho * Wo; i < (p + 1) * Ho * Wo; i++) y[i] = x[p * H * W + index[i]!]!;
}

/** `planes` small planes of H x W against large ones of H * by x W * by. */
export interface ScaleGeometry {
  readonly planes: number;
  readonly H: number;
  readonly W: number;
  readonly by: number;
}

function upsampleLoop(x: FloatArray, y: FloatArray, { planes, H, W, by }: ScaleGeometry): void {
  const wide = W * by;
  for (let row = 0; row < planes * H; row++) {
    const at = row * by * wide;
    for (let j = 0, to = at; j < W; j++) {
      const value = x[row * W + j]!;
      for (let v = 0; v < by; v++) y[to++] = value;
    }
    for (let u = 1; u < by; u++) y.copyWithin(at + u * wide, at, at + wide);
  }
}

function sumPoolLoop(x: FloatArray, y: FloatArray, { planes, H, W, by }: ScaleGeometry): void {
  const wide = W * by;
  for (let row = 0; row < planes * H; row++)
    for (let j = 0; j < W; j++) {
      let sum = 0;
      for (let u = 0; u < by; u++)
        for (let v = 0, from = (row * by + u) * wide + j * by; v < by; v++) sum += x[from++]!;
      y[row * W + j] = sum;
    }
}

const maxPoolKernel = perArrayTypes(() => copyFunction(maxPoolLoop));

/** Writes the maximum of each window and its position `row * W + column` in the plane; the first of equals, NaN wins. */
export function maxPool(x: FloatArray, y: FloatArray, index: Int32Array, g: PoolGeometry): void {
  maxPoolKernel(x, y)(x, y, index, g);
}

const maxUnpoolKernel = perArrayTypes(() => copyFunction(maxUnpoolLoop));

/** The adjoint of maxPool: adds each ct to the input position its window chose. x comes zeroed. */
export function maxUnpool(ct: FloatArray, index: Int32Array, x: FloatArray, g: PoolGeometry): void {
  maxUnpoolKernel(ct, x)(ct, index, x, g);
}

const maxGatherKernel = perArrayTypes(() => copyFunction(maxGatherLoop));

/** The adjoint of maxUnpool: reads x where each window chose. */
export function maxGather(x: FloatArray, index: Int32Array, y: FloatArray, g: PoolGeometry): void {
  maxGatherKernel(x, y)(x, index, y, g);
}

const upsampleKernel = perArrayTypes(() => copyFunction(upsampleLoop));

/** Nearest upsampling: every small element fills a block of by x by. */
export function upsample(x: FloatArray, y: FloatArray, g: ScaleGeometry): void {
  upsampleKernel(x, y)(x, y, g);
}

const sumPoolKernel = perArrayTypes(() => copyFunction(sumPoolLoop));

/** The adjoint of upsample: sums every block of by x by. */
export function sumPool(x: FloatArray, y: FloatArray, g: ScaleGeometry): void {
  sumPoolKernel(x, y)(x, y, g);
}
