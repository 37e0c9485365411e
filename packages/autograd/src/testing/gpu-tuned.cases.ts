// The primitives that have kernels in WGSL, with them and without, against the reference: their cases, and shapes that do not
// divide the tiles, span several of them, or are summed in parts.
import {
  bind,
  type ConvParams,
  compile,
  createGpu,
  type ParamsOf,
  type PrimitiveName,
  permute,
  type Shape,
  type Tensor,
} from "@orepa/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { tolerance } from "./gpu-accuracy.cases.ts";
import { draw } from "./op-case.ts";
import { single, singleSamples } from "./single.cases.ts";

const names = ["matmul", "conv2d", "convInput", "convWeight", "sum", "amax", "amin", "varMean"] as const;
type Name = (typeof names)[number];
interface Case {
  readonly name: PrimitiveName;
  readonly about: string;
  readonly run: (...x: Tensor[]) => readonly Tensor[];
  readonly inputs: readonly Tensor[];
}
const draws = (shapes: readonly Shape[]): Tensor[] => shapes.map((shape, i) => draw(`tuned ${i}`, shape));
const of = <N extends Name>(name: N, about: string, shapes: readonly Shape[], params: ParamsOf<N>): Case => ({
  ...{ name, about, inputs: draws(shapes) },
  run: (...x) => bind(name, x, params),
});

const settings: ConvParams = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 };
const convolutions: readonly (readonly [string, Shape, Shape, Shape, Partial<ConvParams>])[] = [
  ["a tile and more both ways", [2, 20, 9, 11], [68, 20, 3, 3], [2, 68, 9, 11], {}],
  ["stride 2", [2, 20, 9, 11], [36, 20, 3, 3], [2, 36, 5, 6], { stride: [2, 2] }],
  [
    "two groups, strides that differ",
    [2, 20, 12, 11],
    [18, 10, 3, 2],
    [2, 18, 6, 4],
    { stride: [2, 3], padding: [1, 0], groups: 2 },
  ],
  [
    "dilation in groups",
    [2, 20, 9, 8],
    [18, 10, 3, 3],
    [2, 18, 9, 8],
    { padding: [2, 1], dilation: [2, 1], groups: 2 },
  ],
  [
    "dilation with a stride",
    [1, 20, 9, 8],
    [18, 20, 3, 3],
    [1, 18, 5, 3],
    { stride: [2, 2], padding: [2, 1], dilation: [2, 2] },
  ],
  ["1 x 1", [2, 70, 9, 7], [66, 70, 1, 1], [2, 66, 9, 7], { padding: [0, 0] }],
  ["1 x 1, stride 2", [2, 5, 9, 8], [7, 5, 1, 1], [2, 7, 5, 4], { stride: [2, 2], padding: [0, 0] }],
  ["few channels, many pixels", [3, 3, 40, 37], [16, 3, 3, 3], [3, 16, 20, 19], { stride: [2, 2] }],
];
const walks: readonly (readonly [string, Shape, readonly number[]])[] = [
  ["per channel in parts", [2, 3, 50, 60], [0, 2, 3]],
  ["a row of one group", [5, 300], [1]],
  ["the outer axis", [300, 7], [0]],
  ["all axes", [2, 30, 200], [0, 1, 2]],
];
const cases: readonly Case[] = [
  ...singleSamples
    .filter(({ name }) => names.some((n) => n === name))
    .map(
      ({ name, about, c }): Case => ({
        ...{ name, about, inputs: c.inputs },
        run: (...x) => bind(name, x, c.params as ParamsOf<typeof name>),
      }),
    ),
  of(
    "matmul",
    "tiles that are not full",
    [
      [3, 70, 130],
      [3, 130, 33],
    ],
    {},
  ),
  {
    ...of(
      "matmul",
      "transposed operands",
      [
        [2, 40, 21],
        [2, 19, 40],
      ],
      {},
    ),
    run: (a, b) =>
      bind(
        "matmul",
        [a!, b!].map((x) => permute(x, [0, 2, 1])),
        {},
      ),
  },
  {
    ...of("matmul", "by its own transpose", [[40, 20]], {}),
    run: (a) => bind("matmul", [a!, permute(a!, [1, 0])], {}),
  },
  ...convolutions.flatMap(([about, x, w, y, some]) => {
    const params = { ...settings, ...some };
    return [
      of("conv2d", about, [x, w], params),
      of("convInput", about, [y, w], { ...params, shape: x }),
      of("convWeight", about, [x, y], { ...params, shape: w }),
    ];
  }),
  ...walks.flatMap(([about, shape, axes]) =>
    (["sum", "amax", "amin", "varMean"] as const).map((name) => of(name, about, [shape], { axes })),
  ),
  {
    ...of(
      "sum",
      "of an expression",
      [
        [2, 3, 20, 30],
        [2, 3, 20, 30],
      ],
      { axes: [0, 2, 3] },
    ),
    run: (a, b) => {
      const [power] = bind("pow", [bind("sigmoid", [a!], {})[0]!, bind("abs", [b!], {})[0]!], {});
      const [larger] = bind("maximum", [power!, b!], {});
      const [where] = bind("where", [bind("greater", [a!, b!], {})[0]!, larger!, a!], {});
      return bind("sum", [where!], { axes: [0, 2, 3] });
    },
  },
];
/** Sums are longer than in the usual cases. */
const LONGER = 2;

/** Tests the device `gpu:webgpu` with its own kernels and without. */
export const describeTuned = () =>
  describe.each([true, false])("gpu:webgpu, tuned: %s", (tuned) => {
    const device = createGpu("gpu:webgpu", { tuned });
    afterAll(() => device.dispose());
    test.each(cases)("$name, $about", async ({ name, run, inputs }) => {
      const x = inputs.map(single);
      const record = (...t: Tensor[]) => Object.fromEntries(run(...t).map((y, i) => [`y${i}`, y]));
      const wanted = await compile(record)(...x);
      using compiled = compile(record, { device });
      for (const [i, y] of Object.values(await compiled(...x)).entries()) {
        const w = Array.from(wanted[`y${i}`]!.toTypedArray());
        const largest = Math.max(0, ...w.filter(Number.isFinite).map(Math.abs));
        for (const [k, v] of y.toTypedArray().entries())
          if (Number.isFinite(w[k]))
            expect(Math.abs(v - w[k]!), `output ${i}, element ${k}`).toBeLessThanOrEqual(
              LONGER * tolerance(name, "gpu:webgpu") * largest,
            );
      }
    });
  });
