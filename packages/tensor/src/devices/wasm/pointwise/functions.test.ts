// The polynomials on four lanes against Math in float64: the stated bounds over whole ranges, and JavaScript's special values.
import { describe, expect, it } from "vitest";
import { assemble } from "../assembler.ts";
import { EXP_ERROR, sigmoidError } from "../kernels/exp.ts";
import { WebAssembly } from "../web-assembly.ts";
import { argumentWords, fusedKernel } from "./emit.ts";
import type { NodeName } from "./expression.ts";
import { ATAN_ERROR, LOG_ERROR, SIN_ERROR, TURNS_LIMIT } from "./functions.ts";
import { powError } from "./pow.ts";

const memory = new WebAssembly.Memory({ initial: 256, maximum: 256, shared: false });
const floats = new Float32Array(memory.buffer);
const integers = new Int32Array(memory.buffer);
const names = ["exp", "sigmoid", "log", "sin", "cos", "atan", "pow"] as const;
type Name = (typeof names)[number];
const arity = (name: NodeName) => (name === "pow" ? 2 : 1);
const kernels = Object.fromEntries(
  names.map((name) => {
    const args = Array.from({ length: arity(name) }, (_, operand) => ({ operand }));
    const stores = [{ access: "vector", value: { node: 0 } }] as const;
    return [
      name,
      fusedKernel({ operands: args.map(() => "vector"), scalars: 0, nodes: [{ name, args }], stores, sums: [] }),
    ];
  }),
);
const module = new WebAssembly.Module(assemble(kernels));
const { exports } = new WebAssembly.Instance(module, { host: { memory } });

const FIRST = 256; // floats: where data begins, behind the arguments
function run(name: Name, ...operands: readonly ArrayLike<number>[]): Float32Array {
  const n = operands[0]!.length;
  const { access } = argumentWords(operands.length + 1, 0, 0);
  integers.set([1, 1, n]);
  const place = (i: number) => FIRST + i * n;
  for (let i = 0; i <= operands.length; i++) integers.set([4 * place(i), 0, 0, 4], access(i));
  for (const [i, x] of operands.entries()) floats.set(x, place(i));
  exports[name]!(0);
  return floats.slice(place(operands.length), place(operands.length + 1));
}

const COUNT = 2 ** 18;
const range = (from: number, to: number) =>
  Float32Array.from({ length: COUNT }, (_, i) => from + (to - from) * (i / (COUNT - 1)));
/** As many floats between two positive ones in equal ratios. */
const ratios = (from: number, to: number) => range(Math.log(from), Math.log(to)).map(Math.exp);
function worst(got: Float32Array, error: (got: number, i: number) => number): number {
  return got.reduce((most, y, i) => {
    const e = error(y, i);
    return e > most || Number.isNaN(e) ? e : most;
  }, 0);
}
const relative = (expected: (x: number) => number, x: Float32Array) => (y: number, i: number) => {
  const e = expected(x[i]!);
  return e === 0 ? Math.abs(y) : Math.abs(y / e - 1);
};
const absolute = (expected: (x: number) => number, x: Float32Array) => (y: number, i: number) =>
  Math.abs(y - expected(x[i]!));
const SPECIAL = [0, -0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 2.5, 1e30, -1e30, 1e-30, Infinity, -Infinity, Number.NaN];

describe("exp and sigmoid", () => {
  const logistic = (x: number) => 1 / (1 + Math.exp(-x));
  it.each([87, 1, 1e-3])("are within the stated relative error up to +-%d", (limit) => {
    const x = range(-limit, limit);
    expect(worst(run("exp", x), relative(Math.exp, x))).toBeLessThan(EXP_ERROR);
    const error = relative(logistic, x);
    expect(worst(run("sigmoid", x), (y, i) => error(y, i) / sigmoidError(x[i]!))).toBeLessThan(1);
    expect(worst(run("sigmoid", x), absolute(logistic, x))).toBeLessThan(1.5e-7);
  });
  it("end in 0 and Infinity, 0 and 1, and keep NaN", () => {
    const x = [Number.NaN, -Infinity, -1000, -88, 0, 89, 1000, Infinity];
    expect([...run("exp", x)]).toEqual([Number.NaN, 0, 0, 0, 1, Infinity, Infinity, Infinity]);
    expect([...run("sigmoid", x)]).toEqual([Number.NaN, 0, 0, expect.closeTo(0, 30), 0.5, 1, 1, 1]);
  });
});

describe("log", () => {
  it.each([
    [1e-45, 3e38],
    [0.5, 2],
    [0.999, 1.001],
  ])("is within the stated relative error from %d to %d", (from, to) => {
    const x = ratios(from, to);
    expect(worst(run("log", x), relative(Math.log, x))).toBeLessThan(LOG_ERROR);
  });
  it("is -Infinity at 0 and NaN below", () => {
    const x = [0, -0, 1, -1, -Infinity, Infinity, Number.NaN];
    expect([...run("log", x)]).toEqual(x.map(Math.log));
  });
});

describe("sin and cos", () => {
  it.each([1, 100, TURNS_LIMIT])("are within the stated absolute error up to +-%d", (limit) => {
    const x = range(-limit, limit);
    expect(worst(run("sin", x), absolute(Math.sin, x))).toBeLessThan(SIN_ERROR);
    expect(worst(run("cos", x), absolute(Math.cos, x))).toBeLessThan(SIN_ERROR);
  });
  it("are relatively as good near 0, stay in [-1, 1] far away and are NaN at the ends", () => {
    const x = ratios(1e-30, 0.7);
    expect(worst(run("sin", x), relative(Math.sin, x))).toBeLessThan(SIN_ERROR);
    const far = ratios(TURNS_LIMIT, 1e38);
    for (const name of ["sin", "cos"] as const) expect(worst(run(name, far), Math.abs)).toBeLessThanOrEqual(1);
    expect([...run("sin", [-Infinity, Infinity, Number.NaN, 0])]).toEqual([NaN, NaN, NaN, 0]);
    expect([...run("cos", [-Infinity, Infinity, Number.NaN, 0])]).toEqual([NaN, NaN, NaN, 1]);
  });
});

describe("atan", () => {
  it.each([0.1, 1, 10, 1e6])("is within the stated relative error up to +-%d", (limit) => {
    const x = range(-limit, limit);
    expect(worst(run("atan", x), relative(Math.atan, x))).toBeLessThan(ATAN_ERROR);
  });
  it("is half of pi at the ends, keeps -0 and NaN", () => {
    const x = [Infinity, -Infinity, Number.NaN, 0, -0];
    expect([...run("atan", x)]).toEqual(x.map((v) => Math.fround(Math.atan(v))));
  });
});

describe("pow", () => {
  function check(a: Float32Array, b: Float32Array): void {
    const got = run("pow", a, b);
    const error = worst(got, (y, i) => {
      const e = a[i]! ** b[i]!;
      const limits = e < 2 ** -125 ? Math.abs(y - e) <= 2 ** -149 + 1e-4 * e : e > 3.4e38 && y > 3.3e38;
      if (limits) return 0;
      const log2 = Math.log2(Math.abs(a[i]!));
      return Math.abs(y / e - 1) / powError(b[i]! * (log2 - Math.round(log2)));
    });
    expect(error).toBeLessThan(1);
  }
  it.each([2, 3, 0.5, -1, -0.5, 1.7, 10, 100.25])("to the power %d is within the stated error", (b) =>
    check(ratios(1e-38, 1e38), new Float32Array(COUNT).fill(b)),
  );
  it.each([0.9, 0.999, 2, 10, 1e-3])("of the base %d is within the stated error", (a) =>
    check(new Float32Array(COUNT).fill(a), range(-2000, 2000)),
  );
  it("of squares is within 5e-7", () => {
    const x = range(-100, 100);
    expect(
      worst(
        run("pow", x, new Float32Array(COUNT).fill(2)),
        relative((v) => v * v, x),
      ),
    ).toBeLessThan(5e-7);
  });
  it("has JavaScript's special values", () => {
    const pairs = SPECIAL.flatMap((a) => SPECIAL.map((b) => [a, b] as const));
    const got = run(
      "pow",
      pairs.map(([a]) => a),
      pairs.map(([, b]) => b),
    );
    for (const [i, [a, b]] of pairs.entries()) {
      const expected = Math.fround(Math.fround(a) ** Math.fround(b));
      const exact = !Number.isFinite(expected) || expected === 0;
      if (exact) expect(got[i], `${a} ** ${b}`).toBe(expected);
      else expect(Math.abs(got[i]! / expected - 1), `${a} ** ${b}`).toBeLessThan(1e-6);
    }
  });
});
