// The rules of algebra: programs after them, and that they leave values alone.
import { describe, expect, test } from "vitest";
import { trace } from "../../compile.ts";
import {
  add,
  cast,
  compile,
  detach,
  exp,
  expand,
  flip,
  Generator,
  mul,
  neg,
  permute,
  rand,
  reshape,
  slice,
  sub,
  sum,
  type Tensor,
} from "../../index.ts";
import { deadCode } from "../dead-code.ts";
import { printProgram } from "../print.ts";
import { simplify } from "./simplify.ts";

const x = rand([2, 3, 1, 7], { generator: new Generator(5), low: -1 });

/** What the program of a function is after simplification. */
const cases: Record<string, readonly [(a: Tensor) => Tensor, string]> = {
  "permute of permute": [
    (a) => permute(permute(a, [1, 2, 0, 3]), [3, 0, 1, 2]),
    '%0[7, 3, 1, 2] = permute x0 {"order":[3,1,2,0]}\nreturn %0',
  ],
  "a permute and its inverse": [(a) => permute(permute(a, [1, 2, 3, 0]), [3, 0, 1, 2]), "return x0"],
  "expand of expand": [
    (a) => expand(expand(slice(a, 3, 2, 3), [2, 3, 4, 1]), [2, 3, 4, 5]),
    '%0[2, 3, 1, 1] = slice x0 {"axis":3,"start":2,"end":3,"step":1}\n%1[2, 3, 4, 5] = expand %0 {"shape":[2,3,4,5]}\nreturn %1',
  ],
  "slice of slice": [
    (a) => slice(slice(a, 3, 1, 7, 2), 3, 1, 3),
    '%0[2, 3, 1, 2] = slice x0 {"axis":3,"start":3,"end":6,"step":2}\nreturn %0',
  ],
  "flip of flip": [(a) => flip(flip(a, [0, 1]), [1, 3]), '%0[2, 3, 1, 7] = flip x0 {"axes":[0,3]}\nreturn %0'],
  "flip of an axis of size 1": [(a) => flip(a, 2), "return x0"],
  "reshape there and back": [(a) => reshape(reshape(a, [6, 7]), [2, 3, 1, 7]), "return x0"],
  "sum over an axis of size 1": [(a) => sum(a, 2, { keepdim: true }), "return x0"],
  "cast there and back": [(a) => cast(a, "float32"), "return x0"],
  detach: [(a) => mul(detach(a), 2), "%0[2, 3, 1, 7] = mul x0 2\nreturn %0"],
  "a plus minus b": [(a) => add(a, neg(exp(a))), "%0[2, 3, 1, 7] = exp x0\n%1[2, 3, 1, 7] = sub x0 %0\nreturn %1"],
  "minus a plus b": [(a) => add(neg(exp(a)), a), "%0[2, 3, 1, 7] = exp x0\n%1[2, 3, 1, 7] = sub x0 %0\nreturn %1"],
  "a minus minus b": [(a) => sub(a, neg(exp(a))), "%0[2, 3, 1, 7] = exp x0\n%1[2, 3, 1, 7] = add x0 %0\nreturn %1"],
};

describe("simplify", () => {
  test.each(Object.entries(cases))("%s", async (_, [fn, expected]) => {
    expect(printProgram(deadCode(simplify(trace(fn, [x]).program)))).toBe(expected);
    const got = await compile(fn)(x);
    expect(got.shape).toEqual(fn(x).shape);
    expect(got.toTypedArray()).toEqual(fn(x).toTypedArray());
  });
});
