// Wide vectors: refused in one line where the engine has none, and the same results where it has.
import v8 from "node:v8";
import { expect, test } from "vitest";
import { compile } from "../../compile.ts";
import { conv2d, matmul } from "../../ops/linear.ts";
import { exp } from "../../ops/pointwise.ts";
import { Generator, rand } from "../../random.ts";
import type { Tensor } from "../../tensor.ts";
import { createWasm } from "./device.ts";
import { openLimit } from "./limit.ts";

const hasWide = Number.parseInt(process.versions.node, 10) >= 24;

const refused = () => {
  expect(() => createWasm({ threads: 1, wide: true })).toThrow(
    `wasm wide: expected Node 24 or later, got Node ${process.versions.node} (leave wide out)`,
  );
};

const compared = async () => {
  // Only the optimizing compiler makes pairs, and it would come to kernels after many calls alone. No other device may be made
  // here: engines keep what they have compiled of the same bytes.
  v8.setFlagsFromString("--no-liftoff");
  const generator = new Generator("wide");
  const [x, w, a, b] = [
    [2, 16, 20, 20],
    [32, 16, 3, 3],
    [40, 70],
    [70, 50],
  ].map((shape) => rand(shape, { generator, low: -1 })) as [Tensor, Tensor, Tensor, Tensor];
  const work = (i: Tensor, k: Tensor, l: Tensor, r: Tensor) => ({
    conv: conv2d(i, k, { padding: 1 }),
    product: matmul(l, r),
    exp: exp(i),
  });
  const wide = await compile(work, { device: createWasm({ threads: 1, wide: true }) })(x, w, a, b);
  const exact = await compile(work)(x, w, a, b);
  // Additions of numbers up to 1, each rounded, here and there; Winograd's transforms add some 16 times as many.
  for (const [key, terms] of [
    ["conv", 16 * 9 * 16],
    ["product", 70],
    ["exp", 4],
  ] as const) {
    const expected = exact[key].toTypedArray();
    const worst = Math.max(...Array.from(wide[key].toTypedArray(), (value, i) => Math.abs(value - expected[i]!)));
    expect(worst, key).toBeLessThan(terms * 2 ** -23 * Math.sqrt(terms));
  }
  // It throws if its loops compute something else.
  const limit = await openLimit(1);
  expect(await limit.measure(1)).toBeGreaterThan(0);
};

// One engine has one of the two to show.
if (hasWide) test("compute what the reference does", compared);
else test("are refused by an engine that has none", refused);
