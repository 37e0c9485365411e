// Dropout: the kept share, its scale, and its stream.
import { compile, ones, type Tensor, tensor } from "@orepa/tensor";
import { expect, test } from "vitest";
import { Dropout, dropout } from "./dropout.ts";

test("keeps where the noise is at least p and scales what it keeps by 1 / (1 - p)", () => {
  expect(dropout(tensor([1, 2, 3]), tensor([0.1, 0.5, 0.9]), 0.5).toArray()).toEqual([0, 4, 6]);
});

test("train mode drops a share p, each run anew, the same from the same seed", () => {
  const run = (layer: Dropout) => [...layer.forward(ones([4000]), "train").toTypedArray()];
  const layer = new Dropout(0.25, { seed: 7 });
  const first = run(layer);
  const dropped = first.filter((v) => v === 0).length / first.length;
  // Three standard deviations of a binomial share over 4000.
  expect(Math.abs(dropped - 0.25)).toBeLessThan(3 * Math.sqrt((0.25 * 0.75) / 4000));
  expect(run(layer)).not.toEqual(first);
  expect(run(new Dropout(0.25, { seed: 7 }))).toEqual(first);
});

test("is the identity in eval mode and for p = 0, and refuses p = 1", () => {
  const x = ones([3]);
  expect(new Dropout(0.5).forward(x, "eval")).toBe(x);
  expect(new Dropout(0).forward(x, "train")).toBe(x);
  expect(() => new Dropout(1)).toThrow("Dropout: expected a probability in [0, 1), got 1");
});

test("a compiled program draws anew at each run, as eager calls from the same seed do", async () => {
  const [layer, twin] = [new Dropout(0.5, { seed: 1 }), new Dropout(0.5, { seed: 1 })];
  const program = compile((x: Tensor) => layer.forward(x, "train"), { device: "cpu" });
  const x = ones([40]);
  const first = (await program(x)).toArray();
  const second = (await program(x)).toArray();
  expect(second).not.toEqual(first);
  expect([first, second]).toEqual([twin.forward(x, "train").toArray(), twin.forward(x, "train").toArray()]);
});
