// Winograd's convolutions against the reference loops: equal on dyadic data, close on random data, the same for any
// number of threads, and within their maps.
import { describe, expect, it } from "vitest";
import { type ConvGeometry, convGeometry, convOutputShape } from "../../primitives/conv/geometry.ts";
import { conv2d, convInput, convWeight } from "../../primitives/conv/naive.ts";
import { isProblem } from "../../primitives/problem.ts";
import { Generator } from "../../random.ts";
import { sizeOf } from "../../shape.ts";
import { runOnce } from "./launch.ts";
import { runWinogradConv, runWinogradConvInput, runWinogradConvWeight, type WinogradOptions } from "./run-winograd.ts";
import { Runtime } from "./runtime.ts";
import { winogradFits } from "./winograd/pays.ts";

const runtime = new Runtime({ bytes: 2 ** 24 });
const generator = new Generator(7);
/** Halves from -2 to 2: transforms halve twice, and no sum of these tests needs more than 24 bits. */
const dyadic = (n: number) => new Float32Array(n).map(() => (generator.integer(9) - 4) / 2);
const normal = (n: number) => new Float32Array(n).map(() => generator.normal());

const kinds = {
  forward: { reference: conv2d, launch: runWinogradConv, operands: ["x", "w"], result: "y" },
  input: { reference: convInput, launch: runWinogradConvInput, operands: ["y", "w"], result: "x" },
  weight: { reference: convWeight, launch: runWinogradConvWeight, operands: ["x", "y"], result: "w" },
} as const;
type Kind = keyof typeof kinds;

interface Case {
  readonly x: readonly [N: number, C: number, H: number, W: number];
  readonly O: number;
  readonly padding: readonly [number, number];
}
function geometry({ x, O, padding }: Case): ConvGeometry {
  const g = convGeometry(x, [O, x[1], 3, 3], { stride: [1, 1], padding, dilation: [1, 1], groups: 1 });
  if (isProblem(g)) throw new Error(`expected ${g.expected}, got ${g.got}`);
  return g;
}
function problem(kind: Kind, g: ConvGeometry, data: (n: number) => Float32Array) {
  const sizes = { x: g.N * g.C * g.H * g.W, w: 9 * g.C * g.O, y: sizeOf(convOutputShape(g)) };
  const { operands, result } = kinds[kind];
  const [a, b] = operands.map((name) => data(sizes[name])) as [Float32Array, Float32Array];
  return { a, b, size: sizes[result] };
}
function winograd(kind: Kind, g: ConvGeometry, { a, b, size }: ReturnType<typeof problem>, options: WinogradOptions) {
  runtime.reset();
  const got = new Float32Array(size).fill(-1);
  const launch = kinds[kind].launch(runtime, g, options);
  runOnce(launch, a, b, got);
  launch.run(); // a second run starts anew
  launch.read(got);
  return got;
}

const cases: Case[] = [
  { x: [1, 8, 4, 4], O: 8, padding: [1, 1] },
  { x: [2, 16, 10, 12], O: 8, padding: [1, 1] },
  { x: [3, 8, 9, 7], O: 16, padding: [1, 1] },
  { x: [2, 24, 5, 6], O: 40, padding: [1, 1] },
  { x: [1, 8, 4, 5], O: 8, padding: [0, 0] },
  { x: [2, 8, 4, 3], O: 8, padding: [2, 2] },
  { x: [1, 8, 7, 2], O: 8, padding: [0, 3] },
  { x: [2, 72, 6, 5], O: 88, padding: [1, 1] },
  { x: [1, 8, 41, 43], O: 8, padding: [1, 1] },
];

describe.each(Object.keys(kinds) as Kind[])("%s", (kind) => {
  it.each(cases)("equals the reference on dyadic data, $x to $O, padding $padding", (c) => {
    const g = geometry(c);
    expect(winogradFits(g, kind)).toBe(true);
    const p = problem(kind, g, dyadic);
    const expected = new Float32Array(p.size);
    kinds[kind].reference(p.a, p.b, expected, g);
    expect(winograd(kind, g, p, {})).toEqual(expected);
    expect(winograd(kind, g, p, { pixelStride: 100 })).toEqual(expected);
  });
  it.each(cases)("does not depend on threads, is near the reference on random data, $x to $O", (c) => {
    const g = geometry(c);
    const p = problem(kind, g, normal);
    const got = winograd(kind, g, p, {});
    for (const threads of [2, 3, 5]) expect(winograd(kind, g, p, { threads, pixelStride: 92 })).toEqual(got);
    const expected = new Float64Array(p.size);
    kinds[kind].reference(p.a, p.b, expected, g);
    const rms = Math.sqrt(expected.reduce((sum, v) => sum + v * v, 0) / p.size);
    const worst = expected.reduce((most, v, i) => Math.max(most, Math.abs(v - got[i]!)), 0);
    // Rounding errors add up like a random walk over the summed products; 16 roundings' worth of it is never reached.
    const terms = { forward: 9 * g.C, input: 9 * g.O, weight: g.N * g.Ho * g.Wo }[kind];
    expect(worst / rms).toBeLessThan(16 * 2 ** -24 * Math.sqrt(terms));
  });
});
