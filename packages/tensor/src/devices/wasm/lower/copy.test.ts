// Copies from places that lie in another order: numbers that few channels keep apart are copied along rows of the source.
import { expect, it } from "vitest";
import { compile } from "../../../compile.ts";
import { concat, conv2d, createWasm, permute, type Tensor } from "../../../index.ts";
import { numbers } from "../testing/builder.ts";

const channels = [1, 2, 3, 4, 5];
const widths = [15, 16, 17, 2100];

it.each(channels.flatMap((C) => widths.map((W) => ({ C, W }))))(
  "puts $C channels last, rows of $W",
  async ({ C, W }) => {
    const x = numbers([2, C, 5, W]);
    const device = createWasm({ threads: 1 });
    const last = (t: Tensor) => permute(t, [0, 2, 3, 1]);
    const fn = (t: Tensor) => ({ y: last(t), z: concat([last(t), last(t)], 3) });
    const [got, expected] = [await compile(fn, { device })(x), fn(x)];
    expect(got.y.toTypedArray()).toEqual(expected.y.toTypedArray());
    expect(got.z.toTypedArray()).toEqual(expected.z.toTypedArray());
  },
);

it("puts a border around pictures whose channels come last", async () => {
  const [x, w] = [numbers([2, 3, 33, 40], (v) => Math.round(8 * v)), numbers([8, 3, 3, 3], (v) => Math.round(8 * v))];
  const fn = (t: Tensor) => conv2d(t, w, { padding: 1, stride: 2 });
  const got = await compile(fn, { device: createWasm({ threads: 1 }) })(x);
  expect(got.toTypedArray()).toEqual(fn(x).toTypedArray());
});
