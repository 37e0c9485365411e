// For tests: Winograd's three convolutions of a case with kernels 3 x 3, beside the reference loops, and maps that show what is touched.
import { type ConvGeometry, convGeometry, convOutputShape } from "../../../primitives/conv/geometry.ts";
import { conv2d, convInput, convWeight } from "../../../primitives/conv/naive.ts";
import { isProblem } from "../../../primitives/problem.ts";
import { sizeOf } from "../../../shape.ts";
import { runOnce } from "../launch.ts";
import type { Runtime } from "../runtime.ts";
import { runWinogradConv, runWinogradConvInput, runWinogradConvWeight, type WinogradOptions } from "./run-winograd.ts";

export const kinds = {
  forward: { reference: conv2d, launch: runWinogradConv, operands: ["x", "w"], result: "y" },
  input: { reference: convInput, launch: runWinogradConvInput, operands: ["y", "w"], result: "x" },
  weight: { reference: convWeight, launch: runWinogradConvWeight, operands: ["x", "y"], result: "w" },
} as const;
export type Kind = keyof typeof kinds;

interface Case {
  readonly x: readonly [N: number, C: number, H: number, W: number];
  readonly O: number;
  /** 1 on both axes unless said. */
  readonly padding?: readonly [number, number];
}
export function geometry({ x, O, padding = [1, 1] }: Case, stride: 1 | 2): ConvGeometry {
  const options = { stride: [stride, stride], padding, dilation: [1, 1], groups: 1 } as const;
  const g = convGeometry(x, [O, x[1], 3, 3], options);
  if (isProblem(g)) throw new Error(`expected ${g.expected}, got ${g.got}`);
  return g;
}
/** Operands of a kind, and the size of its result. */
export function problem(kind: Kind, g: ConvGeometry, data: (n: number) => Float32Array) {
  const sizes = { x: g.N * g.C * g.H * g.W, w: 9 * g.C * g.O, y: sizeOf(convOutputShape(g)) };
  const { operands, result } = kinds[kind];
  const [a, b] = operands.map((name) => data(sizes[name])) as [Float32Array, Float32Array];
  return { a, b, size: sizes[result] };
}
/** What the kernels make of a problem, on a runtime that is theirs from the start. */
export function run(
  runtime: Runtime,
  kind: Kind,
  g: ConvGeometry,
  { a, b, size }: ReturnType<typeof problem>,
  options: WinogradOptions,
): Float32Array {
  runtime.reset();
  const got = new Float32Array(size).fill(-1);
  const launch = kinds[kind].launch(runtime, g, options);
  runOnce(launch, a, b, got);
  launch.run(); // a second run starts anew
  launch.read(got);
  return got;
}

/** Floats from pixel to pixel of an island. */
export const ISLAND_PIXEL = 12;
/** Eight channels of wider pixels, some rows and columns into a map; everything else is NaN. */
export function island(runtime: Runtime, H: number, W: number, value: number) {
  const [pixel, row] = [4 * ISLAND_PIXEL, 4 * ISLAND_PIXEL * (W + 2)];
  const at = runtime.allocate((row / 4) * (H + 3)) + row + pixel;
  runtime.floats.fill(Number.NaN, (at - row - pixel) / 4, (at + row * (H + 1)) / 4);
  for (let i = 0; i < H; i++)
    for (let j = 0; j < W; j++) {
      const first = (at + i * row + j * pixel) / 4;
      runtime.floats.fill(value, first, first + 8);
    }
  return { at, row, pixel, image: row * H };
}
