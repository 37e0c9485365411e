// Where a convolution reads its input: a few images at a time, one group of channels, copied as doubles with the padding
// around them. Then no loop behind it has to look for borders or for the array's type.
import { copyFunction, perArrayTypes } from "../jit.ts";
import type { FloatArray } from "../strided.ts";
import type { ConvGeometry } from "./geometry.ts";

function padLoop(
  x: FloatArray,
  at: number,
  planes: number,
  H: number,
  W: number,
  top: number,
  left: number,
  Hp: number,
  Wp: number,
  out: Float64Array,
  to: number,
): void {
  for (let c = 0; c < planes; c++)
    for (let i = 0; i < H; i++) {
      const p = (at + (c * H + i) * W) | 0;
      const q = (to + (c * Hp + i + top) * Wp + left) | 0;
      for (let j = 0; j < W; j++) out[q + j] = x[p + j]!;
    }
}

function cropLoop(
  from: Float64Array,
  at: number,
  planes: number,
  H: number,
  W: number,
  top: number,
  left: number,
  Hp: number,
  Wp: number,
  x: FloatArray,
  to: number,
): void {
  for (let c = 0; c < planes; c++)
    for (let i = 0; i < H; i++) {
      const p = (at + (c * Hp + i + top) * Wp + left) | 0;
      const q = (to + (c * H + i) * W) | 0;
      for (let j = 0; j < W; j++) x[q + j] = from[p + j]!;
    }
}

const padKernel = perArrayTypes(() => copyFunction(padLoop));
const cropKernel = perArrayTypes(() => copyFunction(cropLoop));

/** Height and width of a padded plane. */
export const paddedSize = ({ H, W, padding }: ConvGeometry) => ({ Hp: H + 2 * padding[0], Wp: W + 2 * padding[1] });

/** Copies `planes` planes of x from x[at] into out[to], which is zero where the padding lies. */
export function padInto(
  x: FloatArray,
  at: number,
  planes: number,
  g: ConvGeometry,
  out: Float64Array,
  to: number,
): void {
  const { Hp, Wp } = paddedSize(g);
  padKernel(x)(x, at, planes, g.H, g.W, g.padding[0], g.padding[1], Hp, Wp, out, to);
}

/** Copies `planes` padded planes from from[at] into x[to] without their padding. */
export function cropInto(
  from: Float64Array,
  at: number,
  planes: number,
  g: ConvGeometry,
  x: FloatArray,
  to: number,
): void {
  const { Hp, Wp } = paddedSize(g);
  cropKernel(x)(from, at, planes, g.H, g.W, g.padding[0], g.padding[1], Hp, Wp, x, to);
}
