// Reductions of the wasm device against the reference kernels, over all kinds of places.
import { describe, expect, it } from "vitest";
import { type Concrete, contiguous, fromData } from "../../../tensor.ts";
import { LAYOUTS, type Layout, numbers, reference, runLowered } from "../testing/builder.ts";
import { reduceLowerings } from "./reduce.ts";

const SHAPES = [
  [[7], [0]],
  [
    [3, 5, 4, 6],
    [0, 2, 3],
  ],
  [
    [3, 20, 4, 6],
    [0, 2, 3],
  ],
  [[2, 37, 3, 5], [1]],
  [[4, 3, 50], [2]],
  [
    [4, 30, 5],
    [0, 1, 2],
  ],
  [[6, 5, 4], [1]],
  [
    [1, 3, 1, 1],
    [0, 2, 3],
  ],
  [[2, 3], []],
  [
    [2, 3, 2, 5, 3],
    [1, 3],
  ],
] as const;
const NAMES = ["sum", "amax", "amin", "varMean"] as const;
type Name = (typeof NAMES)[number];

/** Roundings of a result to float32, and of what the accumulators have added up in another order. */
const TOLERANCE = 2 ** -23;
function expectEqual(got: Float32Array, want: ArrayLike<number>, what: string, scale = 1): void {
  for (let i = 0; i < want.length; i++) {
    if (Number.isNaN(want[i]!) && Number.isNaN(got[i]!)) continue;
    if (got[i] === want[i]) continue;
    const error = Math.abs(got[i]! - want[i]!) / Math.max(Math.abs(want[i]!), scale);
    if (!(error <= TOLERANCE)) expect.fail(`${what}: element ${i} is ${got[i]}, not ${want[i]}`);
  }
}
function check(name: Name, x: Concrete, axes: readonly number[], inputs: Layout, outputs: Layout): void {
  const got = runLowered(reduceLowerings[name], name, [x], { axes }, { inputs, outputs });
  const want = reference(name, [x], { axes });
  for (const [i, values] of got.entries())
    expectEqual(values, contiguous(want[i]!), `${name} [${x.shape}] over [${axes}], ${inputs} to ${outputs}`);
}

describe.each(NAMES)("%s", (name) => {
  it.each(SHAPES)("is right for [%j] over %j however both lie", (shape, axes) => {
    for (const inputs of LAYOUTS)
      for (const outputs of LAYOUTS) check(name, numbers([...shape]), axes, inputs, outputs);
  });
  it("cuts many elements of few results into parts", () => {
    for (const layout of LAYOUTS) {
      check(name, numbers([2, 6, 40, 60]), [0, 2, 3], layout, "rowMajor");
      check(name, numbers([3, 40000]), [0, 1], layout, "rowMajor");
    }
  });
  it("takes no elements", () => {
    check(name, numbers([0, 3]), [0], "rowMajor", "rowMajor");
    check(name, numbers([0, 3]), [1], "rowMajor", "rowMajor");
  });
  it("lets NaN and infinities through", () => {
    const values = (special: readonly number[]) =>
      numbers([40, 40], (x, i) => (i % 97 === 0 ? special[i % special.length]! : x));
    for (const special of [[Number.NaN], [Infinity], [-Infinity, Number.NaN]])
      for (const axis of [0, 1]) check(name, values(special), [axis], "rowMajor", "rowMajor");
  });
  it("is as exact over a million elements as over one", () => {
    const x = numbers([1, 4, 1000, 250], (v) => v + 1000);
    for (const layout of ["rowMajor", "channelsLast"] as const) check(name, x, [0, 2, 3], layout, "rowMajor");
  });
});

describe("expanded inputs", () => {
  it("count as often as they are repeated", () => {
    const x = numbers([1, 5, 1]);
    const values = Float32Array.from({ length: 3 * 5 * 4 }, (_, i) => contiguous(x)[Math.floor(i / 4) % 5]!);
    const whole = fromData(values, [3, 5, 4]);
    for (const axes of [[0], [1], [2], [0, 2]]) {
      const got = runLowered(reduceLowerings.sum, "sum", [whole], { axes }, { views: [[1, 5, 1]] });
      expectEqual(got[0]!, contiguous(reference("sum", [whole], { axes })[0]!), `sum over ${axes}`);
    }
  });
});
