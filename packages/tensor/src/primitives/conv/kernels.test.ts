// The fast convolutions against the tap loop, on a table of seeded shapes in both dtypes.
import { describe, expect, it } from "vitest";
import { isProblem } from "../problem.ts";
import type { FloatArray } from "../strided.ts";
import { type ConvGeometry, convFlops, convGeometry, convOutputShape } from "./geometry.ts";
import { conv2d, convInput, convWeight } from "./kernels.ts";
import * as naive from "./naive.ts";

const candidate = { conv2d, convInput, convWeight };
const reference = { conv2d: naive.conv2d, convInput: naive.convInput, convWeight: naive.convWeight };

function randomSource(seed: number) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

type Case = {
  x: number[];
  w: number[];
  stride: [number, number];
  padding: [number, number];
  dilation: [number, number];
  groups: number;
};
const base = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 } satisfies Partial<Case>;
const cases: Case[] = [
  { ...base, x: [2, 3, 9, 7], w: [5, 3, 3, 3], padding: [1, 1] },
  { ...base, x: [1, 300, 5, 5], w: [6, 300, 1, 1] },
  { ...base, x: [3, 40, 12, 13], w: [7, 40, 3, 3], padding: [1, 1], stride: [2, 2] },
  { ...base, x: [20, 4, 3, 3], w: [9, 4, 3, 3], padding: [1, 1] },
  { ...base, x: [2, 4, 17, 16], w: [4, 4, 5, 3], padding: [2, 0], stride: [2, 1], dilation: [2, 3] },
  { ...base, x: [2, 6, 8, 8], w: [9, 2, 3, 3], padding: [1, 1], groups: 3 },
  { ...base, x: [2, 6, 8, 9], w: [6, 1, 3, 3], padding: [1, 1], groups: 6 },
  { ...base, x: [2, 6, 11, 9], w: [6, 1, 7, 7], padding: [3, 3], stride: [2, 2], groups: 6 },
  { ...base, x: [2, 4, 8, 8], w: [8, 1, 3, 3], padding: [1, 1], groups: 4 },
  { ...base, x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
  { ...base, x: [2, 3, 6, 6], w: [4, 3, 6, 6], stride: [2, 2], padding: [2, 2] },
  { ...base, x: [0, 3, 6, 6], w: [4, 3, 3, 3] },
];
const random = randomSource(7);
const upTo = (n: number) => 1 + Math.floor(random() * n);
while (cases.length < 60) {
  const groups = upTo(3);
  const [kh, kw] = [upTo(4), upTo(4)];
  const dilation: [number, number] = [upTo(2), upTo(2)];
  const channels = upTo(5);
  const size = (k: number, d: number) => d * (k - 1) + upTo(9);
  cases.push({
    x: [upTo(3), channels * groups, size(kh, dilation[0]), size(kw, dilation[1])],
    w: [upTo(6) * groups, channels, kh, kw],
    stride: [upTo(3), upTo(3)],
    padding: [upTo(3) - 1, upTo(3) - 1],
    dilation,
    groups,
  });
}

function geometry({ x, w, ...params }: Case): ConvGeometry {
  const g = convGeometry(x, w, params);
  if (isProblem(g)) throw new Error(`expected ${g.expected}, got ${g.got}`);
  return g;
}

// Both sum in double or round per addition: the bound is one rounding per term of at most 1.
const DTYPES = [
  { name: "float32", make: (n: number) => new Float32Array(n), epsilon: 2 ** -23 },
  { name: "float64", make: (n: number) => new Float64Array(n), epsilon: 2 ** -52 },
];

describe.each(DTYPES)("fast convolutions in $name", ({ make, epsilon }) => {
  it.each(cases)(
    "agree with the tap loop on $x * $w, stride $stride, padding $padding, dilation $dilation, groups $groups",
    (c) => {
      const g = geometry(c);
      const sizes = [c.x, c.w, convOutputShape(g)].map((s) => s.reduce((a, b) => a * b, 1));
      const source = randomSource(sizes.length + sizes[2]!);
      const [x, w, ct] = sizes.map((n) => make(n).map(() => 2 * source() - 1)) as [FloatArray, FloatArray, FloatArray];
      const check = (
        name: "conv2d" | "convInput" | "convWeight",
        a: FloatArray,
        b: FloatArray,
        size: number,
        terms: number,
      ) => {
        const expected = make(size);
        const got = make(size);
        reference[name](a, b, expected, g);
        candidate[name](a, b, got, g);
        for (let i = 0; i < size; i++)
          if (!(Math.abs(expected[i]! - got[i]!) <= epsilon * terms))
            expect.fail(`${name}: element ${i} is ${got[i]}, expected ${expected[i]}`);
      };
      const taps = g.kh * g.kw;
      check("conv2d", x, w, sizes[2]!, (taps * g.C) / g.groups + 1);
      check("convInput", ct, w, sizes[0]!, (taps * g.O) / g.groups + 1);
      check("convWeight", x, ct, sizes[1]!, g.N * g.Ho * g.Wo + 1);
    },
  );
});

describe("convGeometry", () => {
  const params = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 } as const;
  it("gives PyTorch's output shape and the multiply-adds", () => {
    const g = geometry({ ...base, x: [2, 3, 64, 48], w: [16, 3, 3, 3], stride: [2, 2], padding: [1, 1] });
    expect(convOutputShape(g)).toEqual([2, 16, 32, 24]);
    expect(convFlops(g)).toBe(2 * 2 * 16 * 32 * 24 * 27);
  });
  it.each([
    { x: [3, 8, 8], w: [4, 3, 3, 3], extra: {}, expected: /4 dims/ },
    { x: [1, 3, 8, 8], w: [4, 3, 3], extra: {}, expected: /weight of 4 dims/ },
    { x: [1, 3, 8, 8], w: [4, 2, 3, 3], extra: {}, expected: /weight of \[O, 3, kh, kw\]/ },
    { x: [1, 4, 8, 8], w: [6, 1, 3, 3], extra: { groups: 4 }, expected: /groups to divide/ },
    { x: [1, 3, 2, 8], w: [4, 3, 5, 3], extra: {}, expected: /kernel that fits/ },
    { x: [1, 3, 8, 8], w: [4, 3, 3, 3], extra: { stride: [0, 1] as const }, expected: /stride/ },
    { x: [1, 3, 8, 8], w: [4, 3, 3, 3], extra: { padding: [-1, 1] as const }, expected: /padding/ },
    { x: [1, 3, 8, 8], w: [4, 3, 3, 3], extra: { dilation: [1, 0.5] as const }, expected: /dilation/ },
    { x: [1, 3, 8, 8], w: [4, 3, 3, 3], extra: { groups: 0 }, expected: /groups/ },
  ])("answers what was expected: $expected", ({ x, w, extra, expected }) => {
    const problem = convGeometry(x, w, { ...params, ...extra });
    expect(isProblem(problem) && problem.expected).toMatch(expected);
  });
});
