// Folding of scales into kernels: programs before and after, and that values stay.
import { describe, expect, test } from "vitest";
import { trace } from "../compile.ts";
import {
  add,
  compile,
  conv2d,
  div,
  full,
  Generator,
  mul,
  neg,
  rand,
  reshape,
  silu,
  sqrt,
  sub,
  type Tensor,
  tensor,
  Variable,
} from "../index.ts";
import { commonSubexpressions } from "./common-subexpressions.ts";
import { deadCode } from "./dead-code.ts";
import { foldScale } from "./fold-scale.ts";
import { hoist } from "./hoist.ts";
import { optimize } from "./optimize.ts";
import { printProgram } from "./print.ts";

const generator = new Generator(3);
const random = (shape: number[], low = -1) => rand(shape, { generator, low, dtype: "float64" });
const x = random([2, 3, 4, 4]);
const weight = new Variable(random([5, 3, 3, 3]));
const convolve = (input: Tensor) => conv2d(input, weight.value, { padding: 1 });
const vectors = Array.from({ length: 4 }, () => new Variable(random([5], 0.5)));
const channels = (i: number) => reshape(vectors[i]!.value, [1, 5, 1, 1]);
/** Names of what runs each time, in order. */
const steady = (fn: (input: Tensor) => Tensor): string[] =>
  hoist(optimize(trace(fn, [x]).program)).program.equations.map((e) => e.name);

describe("foldScale", () => {
  const norm = (y: Tensor) => {
    const a = div(channels(0), sqrt(add(channels(1), 1e-3)));
    return add(mul(y, a), sub(channels(2), mul(channels(3), a)));
  };

  test("a convolution with a norm in eval mode and SiLU is a convolution, an addition and the activation", () => {
    const block = (input: Tensor) => silu(norm(convolve(input)));
    expect(steady(block)).toEqual(["conv2d", "add", "sigmoid", "mul"]);
    expect(printProgram(hoist(optimize(trace(block, [x]).program)).program)).toBe(
      [
        '%1[2, 5, 4, 4] = conv2d x0 %0 {"stride":[1,1],"padding":[1,1],"dilation":[1,1],"groups":1}',
        "%3[2, 5, 4, 4] = add %1 %2",
        "%4[2, 5, 4, 4] = sigmoid %3",
        "%5[2, 5, 4, 4] = mul %3 %4",
        "return %5",
      ].join("\n"),
    );
  });

  const chains: Record<string, (y: Tensor) => Tensor> = {
    norm,
    "scale of a centred value": (y) => add(mul(sub(y, channels(0)), channels(1)), channels(2)),
    "bias before the norm": (y) => norm(add(y, channels(0))),
    "division and numbers": (y) => mul(add(div(y, channels(1)), 3), 0.5),
    "subtracted from a vector": (y) => mul(sub(channels(0), neg(sub(2, y))), channels(1)),
    "constants that repeat": (y) => mul(y, tensor([1, 2, 3, 4, 5], { shape: [1, 5, 1, 1], dtype: "float64" })),
  };
  test.each(Object.entries(chains))(
    "%s: one convolution, at most one addition, the same values",
    async (name, chain) => {
      const fn = (input: Tensor) => chain(convolve(input));
      expect(steady(fn)).toEqual(name.startsWith("constants") ? ["conv2d"] : ["conv2d", "add"]);
      const got = (await compile(fn)(x)).toTypedArray();
      const expected = fn(x).toTypedArray();
      for (const [i, value] of expected.entries()) expect(Math.abs(got[i]! - value)).toBeLessThan(1e-12);
    },
  );

  test("kernels of groups are scaled along their outputs", async () => {
    const w = new Variable(random([4, 1, 1, 1]));
    const a = new Variable(random([1, 4, 1, 1]));
    const fn = (input: Tensor) => mul(conv2d(input, w.value, { groups: 2 }), a.value);
    const input = random([1, 2, 3, 3]);
    const got = (await compile(fn)(input)).toTypedArray();
    expect(hoist(optimize(trace(fn, [input]).program)).program.equations.length).toBe(1);
    for (const [i, value] of fn(input).toTypedArray().entries()) expect(Math.abs(got[i]! - value)).toBeLessThan(1e-12);
  });

  test("what changes from run to run, or is read elsewhere too, stays as it is", () => {
    const written = (input: Tensor) => {
      weight.assign(mul(weight.value, 0.5));
      return mul(convolve(input), channels(0));
    };
    const shared = (input: Tensor) => {
      const y = convolve(input);
      return add(mul(y, channels(0)), y);
    };
    const perPixel = (input: Tensor) => mul(convolve(input), full([1, 1, 4, 4], 2, { dtype: "float64" }));
    const scaled = (input: Tensor, scale: Tensor) => mul(convolve(input), scale);
    for (const { program } of [
      trace(written, [x]),
      trace(shared, [x]),
      trace(scaled, [x, full([1, 5, 1, 1], 2, { dtype: "float64" })]),
    ]) {
      const before = commonSubexpressions(program);
      expect(printProgram(deadCode(foldScale(before)))).toBe(printProgram(deadCode(before)));
    }
    // A number is a number, however it is repeated.
    expect(steady(perPixel)).toEqual(["conv2d"]);
  });
});
