// The polynomial exp against Math.exp: the stated bound over the whole range, and what happens outside of it.
import { describe, expect, it } from "vitest";
import { EXP_ERROR } from "./kernels/exp.ts";
import { runPointwise } from "./run-pointwise.ts";
import { Runtime } from "./runtime.ts";

const runtime = new Runtime({ bytes: 2 ** 25 });
const EPSILON = 2 ** -24; // of one float32 rounding
const run = (name: "exp" | "sigmoid" | "silu", values: ArrayLike<number>) => {
  runtime.reset();
  return runPointwise(runtime, name, Float32Array.from(values));
};
/** `count` floats evenly from -limit to limit. */
const range = (limit: number, count = 2 ** 20 + 1) =>
  Float32Array.from({ length: count }, (_, i) => limit * ((2 * i) / (count - 1) - 1));
const worst = (got: Float32Array, x: Float32Array, error: (got: number, x: number) => number) =>
  got.reduce((most, y, i) => Math.max(most, error(y, x[i]!)), 0);

describe("exp", () => {
  it.each([87, 1, 1e-3])("is within the stated relative error up to +-%d", (limit) => {
    const x = range(limit);
    expect(worst(run("exp", x), x, (y, at) => Math.abs(y / Math.exp(at) - 1))).toBeLessThan(EXP_ERROR);
  });
  it("keeps NaN and is 0 or Infinity where a float is", () => {
    const x = [Number.NaN, -Infinity, -1000, -88, 0, 89, 1000, Infinity];
    expect([...run("exp", x)]).toEqual([Number.NaN, 0, 0, 0, 1, Infinity, Infinity, Infinity]);
  });
  it("takes lengths that are no multiple of four", () => {
    for (let n = 0; n < 10; n++) expect([...run("exp", new Float32Array(n))]).toEqual(Array(n).fill(1));
  });
});

describe("sigmoid and silu", () => {
  // exp, one addition and one division; silu multiplies nothing more. exp(-x) is at most the whole of the denominator.
  const bound = EXP_ERROR + 2 * EPSILON + EXP_ERROR ** 2;
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  it("are within the error of exp and two roundings", () => {
    const x = range(87);
    expect(worst(run("sigmoid", x), x, (y, at) => Math.abs(y / sigmoid(at) - 1))).toBeLessThan(bound);
    const relative = (y: number, at: number) => (at === 0 ? Math.abs(y) : Math.abs(y / (at * sigmoid(at)) - 1));
    expect(worst(run("silu", x), x, relative)).toBeLessThan(bound);
  });
  it("saturate and keep NaN", () => {
    const x = [Number.NaN, -1000, 0, 1000];
    const [nan, low, middle, high] = run("sigmoid", x) as unknown as [number, number, number, number];
    expect([nan, middle, high]).toEqual([Number.NaN, 0.5, 1]);
    expect(low).toBeGreaterThanOrEqual(0);
    expect(low).toBeLessThan(1e-38);
    expect(run("silu", x)[0]).toBeNaN();
    expect(run("silu", x)[3]).toBe(1000);
  });
});
