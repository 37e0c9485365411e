// Lowering of max pooling and its two adjoints: operands and results lie NHWC, or are copied so.

import type { PoolParams } from "../../../primitives/pool/kernels.ts";
import type { Tensor } from "../../../tensor.ts";
import { loopsOver } from "../plan/loops.ts";
import { addressOf, type Place, permutePlace } from "../plan/place.ts";
import { type MapSpan, poolScratch } from "../steps/pool.ts";
import { atLeast } from "../steps/walk.ts";
import type { Builder, Lowering } from "./builder.ts";

const spanOf = (p: Place): MapSpan => ({
  at: addressOf(p),
  image: 4 * p.strides[0]!,
  row: 4 * p.strides[2]!,
  pixel: 4 * p.strides[3]!,
});

/** A place for the map with channels side by side; `done` copies it to where the result lies if that is elsewhere. */
function mapResult(b: Builder, t: Tensor): { readonly map: Place; readonly done: () => void } {
  const place = b.result(t);
  if (place.strides[1] === 1 || place.shape[1] === 1) return { map: place, done: () => {} };
  const [N, C, H, W] = t.shape as [number, number, number, number];
  const map = permutePlace(b.scratch([N, H, W, C]), [0, 3, 1, 2]);
  return { map, done: () => b.copy(place, map) };
}

const windows = (large: Place, small: Place, { size, stride, padding }: PoolParams) => {
  const [N, C, H, W] = large.shape as [number, number, number, number];
  const [Ho, Wo] = small.shape.slice(2) as [number, number];
  return { N, C, large: [H, W], small: [Ho, Wo], size, stride, padding } as const;
};

const maxPool: Lowering<"maxPool"> = ({ inputs, outputs, params }, b) => {
  const x = b.map(inputs[0]!);
  const [y, index] = outputs.map((t) => mapResult(b, t));
  const w = windows(x, y!.map, params);
  if (w.N * w.C === 0) return;
  const scratch = b.scratch([poolScratch(w)]);
  const writes = [scratch, y!.map, index!.map].map(({ storage }) => storage);
  b.step({ reads: [x.storage], writes }, () => ({
    op: "maxPool",
    ...w,
    x: spanOf(x),
    y: spanOf(y!.map),
    index: spanOf(index!.map),
    scratch: addressOf(scratch),
  }));
  y!.done();
  index!.done();
};

const maxUnpool: Lowering<"maxUnpool"> = ({ inputs, outputs, params }, b) => {
  const [ct, index] = inputs.map((t) => b.map(t));
  const x = mapResult(b, outputs[0]!);
  const w = windows(x.map, ct!, params);
  if (w.N * w.C === 0) return;
  b.step({ reads: [ct!.storage, index!.storage], writes: [x.map.storage] }, () => ({
    op: "maxUnpool",
    ...w,
    ct: spanOf(ct!),
    index: spanOf(index!),
    x: spanOf(x.map),
  }));
  x.done();
};

const maxGather: Lowering<"maxGather"> = ({ inputs, outputs }, b) => {
  const [x, index] = inputs.map((t) => b.place(t)) as [Place, Place];
  const y = b.result(outputs[0]!);
  if (y.shape.includes(0)) return;
  const [image, channel, row, column] = x.strides as [number, number, number, number];
  const loops = atLeast(loopsOver(y.shape, [y.strides, index.strides, [image, channel, 0, 0]]), 2);
  b.step({ reads: [x.storage, index.storage], writes: [y.storage] }, () => ({
    op: "maxGather",
    x: addressOf(x) / 4,
    y: addressOf(y) / 4,
    index: addressOf(index) / 4,
    ...{ loops, row, column, columns: x.shape[3]! },
  }));
};

export const poolLowerings = { maxPool, maxUnpool, maxGather };
