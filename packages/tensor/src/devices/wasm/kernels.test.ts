// Every kernel, naive and fast, against the reference loops on dyadic data: all sums are exact, so results are equal.
import { describe, expect, it } from "vitest";
import { OpError } from "../../errors.ts";
import { type ConvGeometry, convGeometry, convOutputShape } from "../../primitives/conv/geometry.ts";
import { conv2d, convInput, convWeight } from "../../primitives/conv/naive.ts";
import { type MatmulGeometry, matmul } from "../../primitives/matmul/naive.ts";
import { isProblem } from "../../primitives/problem.ts";
import { sigmoidError } from "./kernels/exp.ts";
import { type Launch, runOnce } from "./launch.ts";
import { type ConvOptions, runConv, runConvInput, runConvWeight } from "./run-conv.ts";
import { runMatmul } from "./run-matmul.ts";
import { Runtime } from "./runtime.ts";

const runtime = new Runtime({ bytes: 2 ** 24 });
/** Its kernels suit vectors of 256 bits, and run on others too. */
const wide = new Runtime({ bytes: 2 ** 24, wide: true });
let state = 1;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
/** Quarters from -2 to 2: products are sixteenths, and sums below 2^19 have no rounding. */
const dyadic = (n: number) => new Float32Array(n).map(() => Math.floor(17 * random() - 8) / 4);
const upTo = (n: number) => 1 + Math.floor(random() * n);
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

interface Case {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
}
const geometry = ({ x, w, stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 }: Case): ConvGeometry => {
  const g = convGeometry(x, w, { stride, padding, dilation, groups });
  if (isProblem(g)) throw new Error(`expected ${g.expected}, got ${g.got}`);
  return g;
};

const kinds = {
  conv2d: { reference: conv2d, launch: runConv, operands: ["x", "w"], result: "y" },
  convInput: { reference: convInput, launch: runConvInput, operands: ["y", "w"], result: "x" },
  convWeight: { reference: convWeight, launch: runConvWeight, operands: ["x", "y"], result: "w" },
} as const;
type Kind = keyof typeof kinds;
const kindNames = Object.keys(kinds) as Kind[];

function check(kind: Kind, c: Case, options?: ConvOptions, on = runtime): Launch["path"] {
  const g = geometry(c);
  const { reference, launch, operands, result } = kinds[kind];
  const sizes = { x: size(c.x), w: size(c.w), y: size(convOutputShape(g)) };
  const [a, b] = operands.map((name) => dyadic(sizes[name])) as [Float32Array, Float32Array];
  const [got, expected] = [new Float32Array(sizes[result]).fill(-1), new Float32Array(sizes[result])];
  on.reset();
  const prepared = launch(on, g, options);
  runOnce(prepared, a, b, got);
  prepared.run(); // a second run starts anew
  prepared.read(got);
  reference(a, b, expected, g);
  expect(got).toEqual(expected);
  return prepared.path;
}

const layers: Case[] = [
  { x: [2, 3, 18, 14], w: [16, 3, 3, 3], stride: [2, 2], padding: [1, 1] },
  { x: [2, 16, 10, 12], w: [32, 16, 3, 3], stride: [2, 2], padding: [1, 1] },
  { x: [2, 16, 9, 11], w: [8, 16, 3, 3], padding: [1, 1] },
  { x: [1, 32, 20, 20], w: [32, 32, 1, 1] },
  { x: [1, 64, 5, 5], w: [64, 64, 3, 3], padding: [1, 1] },
];
const odd: Case[] = [
  { x: [2, 5, 9, 7], w: [7, 5, 3, 3], padding: [1, 1] },
  { x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
  { x: [1, 6, 1, 3], w: [12, 6, 1, 1] },
  { x: [3, 9, 8, 8], w: [10, 9, 1, 1], stride: [2, 2] },
  { x: [2, 4, 17, 16], w: [4, 4, 5, 3], padding: [2, 0], stride: [2, 1], dilation: [2, 3] },
  { x: [1, 3, 11, 11], w: [5, 3, 7, 7], padding: [3, 3], stride: [3, 3] },
  { x: [1, 4, 6, 6], w: [4, 4, 1, 1], padding: [2, 2] },
  { x: [2, 3, 6, 6], w: [4, 3, 6, 6], stride: [2, 2], padding: [2, 2] },
];
const grouped: Case[] = [
  { x: [2, 6, 8, 8], w: [9, 2, 3, 3], padding: [1, 1], groups: 3 },
  { x: [2, 4, 8, 8], w: [8, 1, 3, 3], padding: [1, 1], groups: 4 },
  { x: [1, 24, 7, 5], w: [40, 12, 3, 3], padding: [1, 1], stride: [2, 2], groups: 2 },
];
const empty: Case = { x: [0, 3, 6, 6], w: [4, 3, 3, 3] };
const depthwise: Case[] = [
  { x: [2, 16, 9, 10], w: [16, 1, 3, 3], padding: [1, 1], groups: 16 },
  { x: [1, 6, 7, 5], w: [6, 1, 3, 3], padding: [1, 1], groups: 6 },
  { x: [1, 5, 3, 3], w: [5, 1, 3, 3], groups: 5 },
  { x: [2, 8, 12, 9], w: [8, 1, 3, 3], padding: [2, 2], dilation: [2, 2], groups: 8 },
];
const anything = Array.from({ length: 40 }, (): Case => {
  const groups = random() < 0.7 ? 1 : upTo(3);
  const [kh, kw, channels] = [upTo(4), upTo(4), upTo(9)];
  const dilation = [upTo(2), upTo(2)] as const;
  return {
    x: [upTo(2), channels * groups, dilation[0] * (kh - 1) + upTo(9), dilation[1] * (kw - 1) + upTo(9)],
    w: [upTo(12) * groups, channels, kh, kw],
    ...{ stride: [upTo(3), upTo(3)], padding: [upTo(3) - 1, upTo(3) - 1], dilation, groups },
  };
});

describe.each(kindNames)("%s", (kind) => {
  it.each([...layers, ...odd, ...grouped])("in tiles equals the reference on $x * $w", (c) =>
    expect(check(kind, c)).toBe("tile"),
  );
  it.each([...layers, ...odd, ...grouped])("in pairs of tiles equals the reference on $x * $w", (c) =>
    expect(check(kind, c, {}, wide)).toBe("tile"),
  );
  it("without images is the tap loop", () => expect(check(kind, empty)).toBe("naive"));
  it.each([...layers, ...odd, ...grouped])("does not depend on the number of parts, $x * $w", (c) => {
    for (const parts of [2, 3, 7]) check(kind, c, { parts });
  });
  it.each([...layers.slice(0, 3), ...odd, ...grouped])("takes slices of wider maps, $x * $w", (c) => {
    check(kind, c, { pixelStride: 4 * Math.ceil((Math.max(c.x[1]!, c.w[0]!) + 2) / 4) });
  });
  it.each(depthwise)("depthwise equals the reference on $x", (c) => expect(check(kind, c)).toBe("depthwise"));
  it.each(anything)("equals the reference on $x * $w, stride $stride, padding $padding, dilation $dilation", (c) => {
    check(kind, c);
  });
  it.each([...layers.slice(0, 3), ...odd, ...grouped, ...depthwise])("naive equals the reference on $x * $w", (c) =>
    expect(check(kind, c, { naive: true })).toBe("naive"),
  );
});

describe("depthwise convolution with a stride of 2", () => {
  const c: Case = { x: [2, 8, 12, 9], w: [8, 1, 3, 3], padding: [1, 1], stride: [2, 2], groups: 8 };
  it.each([
    ["conv2d", "depthwise"],
    ["convInput", "tile"],
    ["convWeight", "depthwise"],
  ] as const)("%s takes the path %s", (kind, path) => expect(check(kind, c)).toBe(path));
});

describe("the convolution tile", () => {
  it("reads a slice of wider pixels where it lies, whatever its neighbours hold", () => {
    const g = geometry({ x: [2, 6, 9, 8], w: [8, 6, 3, 3], padding: [1, 1] });
    const [x, w] = [dyadic(2 * 6 * 72), dyadic(8 * 54)];
    const [got, expected] = [new Float32Array(2 * 8 * 72), new Float32Array(2 * 8 * 72)];
    runtime.reset();
    const first = runtime.allocate(0) / 4;
    const PIXEL = 20;
    const launch = runConv(runtime, g, { pixelStride: PIXEL });
    launch.write(x, w);
    for (let pixel = 0; pixel < 2 * 11 * 10; pixel++)
      runtime.floats.fill(3, first + pixel * PIXEL + 6, first + (pixel + 1) * PIXEL);
    launch.run();
    launch.read(got);
    conv2d(x, w, expected, g);
    expect(got).toEqual(expected);
  });
  it.each([{ groups: 1 }, { groups: 2 }])("and the tap loop add a bias, groups $groups", ({ groups }) => {
    const g = geometry({ x: [2, 4, 5, 5], w: [6, 4 / groups, 3, 3], padding: [1, 1], groups });
    const [x, w, bias] = [dyadic(200), dyadic((6 * 36) / groups), dyadic(6)];
    const [got, expected] = [new Float32Array(300), new Float32Array(300).map((_, k) => bias[Math.floor(k / 25) % 6]!)];
    runtime.reset();
    runOnce(runConv(runtime, g, { bias }), x, w, got);
    conv2d(x, w, expected, g);
    expect(got).toEqual(expected);
  });
  it.each([
    { O: 8, silu: false },
    { O: 11, silu: false },
    { O: 8, silu: true },
    { O: 23, silu: true },
  ])("leaves the neighbours of $O channels in a wider map alone, silu $silu", ({ O, silu }) => {
    const g = geometry({ x: [2, 6, 9, 8], w: [O, 6, 3, 3], padding: [1, 1] });
    const [x, w, got] = [dyadic(2 * 6 * 72), dyadic(O * 54), new Float32Array(2 * O * 72)];
    runtime.reset();
    const launch = runConv(runtime, g, { pixelStride: 28, silu });
    launch.write(x, w);
    const start = (4 * 28 * 2 * 11 * 10 + 64) / 4; // behind x, on a cache line
    const first = Math.ceil(start / 16) * 16;
    const map = runtime.floats.subarray(first, first + 2 * 72 * 28);
    map.fill(3);
    launch.run();
    launch.read(got);
    for (let pixel = 0; pixel < 2 * 72; pixel++)
      expect([...map.subarray(28 * pixel + O, 28 * pixel + 28)]).toEqual(Array(28 - O).fill(3));
    expect(map[0]).toBe(got[0]);
  });
  it.each([8, 11, 23])("applies silu to %i channels", (O) => {
    const g = geometry({ x: [2, 6, 9, 8], w: [O, 6, 3, 3], padding: [1, 1] });
    const [x, w, bias] = [dyadic(2 * 6 * 72), dyadic(O * 54), dyadic(O)];
    const [got, sums] = [new Float32Array(2 * O * 72), new Float32Array(2 * O * 72)];
    sums.forEach((_, k) => {
      sums[k] = bias[Math.floor(k / 72) % O]!;
    });
    conv2d(x, w, sums, g);
    runtime.reset();
    runOnce(runConv(runtime, g, { bias, silu: true }), x, w, got);
    const wrong = sums.findIndex((z, k) => {
      const y = z / (1 + Math.exp(-z));
      return Math.abs(got[k]! - y) > sigmoidError(z) * Math.abs(y);
    });
    expect(wrong).toBe(-1);
  });
  it("runs blocks of pixels that do not divide the image", () => {
    check("conv2d", { x: [1, 4, 37, 41], w: [8, 4, 1, 1] });
    // Each of the four phases has 12 blocks of 48 pixels and one pixel more.
    check("convInput", { x: [1, 1, 1154, 2], w: [1024, 1, 2, 2], stride: [2, 2] });
    check("convWeight", { x: [1, 64, 90, 33], w: [4, 64, 1, 1] });
  });
});

describe("matmul", () => {
  const shapes = [
    { batch: 1, M: 16, K: 12, N: 16 },
    { batch: 3, M: 5, K: 7, N: 9 },
    { batch: 2, M: 1, K: 1, N: 1 },
    { batch: 1, M: 130, K: 33, N: 20 },
  ];
  const flags = [{}, { transposeA: true }, { transposeB: true }, { transposeA: true, transposeB: true }];
  it.each(shapes.flatMap((s) => flags.map((f): MatmulGeometry => ({ ...s, ...f }))))(
    "equals the reference: %o",
    (g) => {
      const [a, b] = [dyadic(g.batch * g.M * g.K), dyadic(g.batch * g.K * g.N)];
      const [got, expected] = [new Float32Array(g.batch * g.M * g.N), new Float32Array(g.batch * g.M * g.N)];
      runtime.reset();
      runOnce(runMatmul(runtime, g), a, b, got);
      matmul(a, b, expected, g);
      expect(got).toEqual(expected);
    },
  );
});

describe("a runtime", () => {
  it("says when its memory is full", () => {
    const small = new Runtime({ bytes: 65536 });
    expect(() => small.allocate(20000)).toThrow(OpError);
    expect(() => small.allocate(20000)).toThrow("wasm memory: expected at most 65536 bytes, got 80064");
  });
  it("runs over shared memory as well", () => {
    const shared = new Runtime({ bytes: 65536, shared: true });
    const g: MatmulGeometry = { batch: 1, M: 2, K: 2, N: 2 };
    const out = new Float32Array(4);
    runOnce(runMatmul(shared, g), new Float32Array([1, 2, 3, 4]), new Float32Array([1, 0, 0, 1]), out);
    expect([...out]).toEqual([1, 2, 3, 4]);
  });
});
