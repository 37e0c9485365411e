// The three convolutions, each as a gather: a thread adds all that goes into its element. Borders are conditions.

import { OpError } from "../../../errors.ts";
import { type ConvGeometry, type ConvParams, convGeometry } from "../../../primitives/conv/geometry.ts";
import { isProblem } from "../../../primitives/problem.ts";
import { type Shape, sizeOf } from "../../../shape.ts";
import { type At4, type Lowering, sources } from "../builder.ts";
import { freshPlace, wholeOf } from "../place.ts";
import { inside, nested, quotient } from "../text.ts";
import { lowerParts } from "./reduce.ts";

/** Pixels above which the weight gradient is cut into rows, where the partial sums take less than so many elements. */
const LONG = 1024;
const MOST_PARTS = 1 << 22;

function geometry(x: Shape, w: Shape, params: ConvParams): ConvGeometry {
  const g = convGeometry(x, w, params);
  if (isProblem(g)) throw new OpError("convolution", g.expected, g.got, g.hint);
  return g;
}
/** The first channel of a group, from a channel of the other side with `own` per group. */
const firstOf = (g: ConvGeometry, channel: string, own: number, other: number): string =>
  g.groups === 1 ? "0" : `${quotient(channel, own)} * ${other}`;
const tap = (i: string, u: string, axis: 0 | 1, g: ConvGeometry): string =>
  `${i} * ${g.stride[axis]} + ${u} * ${g.dilation[axis]} - ${g.padding[axis]}`;

const conv2d: Lowering<"conv2d"> = {
  lower({ inputs: [x, w], params, outputs: [y] }, b) {
    const g = geometry(x!.shape, w!.shape, params);
    const reads = sources([b.place(x!), b.place(w!)]);
    b.launch("conv2d", b.result(y!), y!.shape, reads, (at) => {
      const [n, o, i, j] = at as unknown as At4;
      const product = `${reads.read(0, [n, "c", "y", "x"])} * ${reads.read(1, [o, "r0", "r1", "r2"])}`;
      return [
        `const first = ${firstOf(g, o, g.O / g.groups, g.C / g.groups)};`,
        "let s = 0;",
        ...nested(
          [g.C / g.groups, g.kh, g.kw],
          [
            "const c = first + r0;",
            `const y = ${tap(i, "r1", 0, g)};`,
            `const x = ${tap(j, "r2", 1, g)};`,
            `if (${inside("y", g.H)} && ${inside("x", g.W)}) { s = s + ${product}; }`,
          ],
        ),
        "return s;",
      ];
    });
  },
};

const convInput: Lowering<"convInput"> = {
  lower({ inputs: [y, w], params, outputs: [x] }, b) {
    const g = geometry(x!.shape, w!.shape, params);
    const reads = sources([b.place(y!), b.place(w!)]);
    const [Cg, Og] = [g.C / g.groups, g.O / g.groups];
    b.launch("convInput", b.result(x!), x!.shape, reads, (at) => {
      const [n, c, i, j] = at as unknown as At4;
      const product = `${reads.read(0, [n, "o", "y", "x"])} * ${reads.read(1, ["o", "k", "r1", "r2"])}`;
      // The window that had this pixel under tap u starts at i + padding - u dilation, if that is a multiple of the stride.
      const source = (to: string, from: string, u: string, axis: 0 | 1) => [
        `const p${to} = ${from} + ${g.padding[axis]} - ${u} * ${g.dilation[axis]};`,
        `const ${to} = ${quotient(`p${to}`, g.stride[axis])};`,
      ];
      const exact = (to: string, axis: 0 | 1) =>
        g.stride[axis] === 1 ? "" : ` && ${to} * ${g.stride[axis]} === p${to}`;
      const hits = `${inside("y", g.Ho)} && ${inside("x", g.Wo)}${exact("y", 0)}${exact("x", 1)}`;
      return [
        `const first = ${firstOf(g, c, Cg, Og)};`,
        `const k = ${g.groups === 1 ? c : `${c} - ${quotient(c, Cg)} * ${Cg}`};`,
        "let s = 0;",
        ...nested(
          [Og, g.kh, g.kw],
          [
            "const o = first + r0;",
            ...source("y", i, "r1", 0),
            ...source("x", j, "r2", 1),
            `if (${hits}) { s = s + ${product}; }`,
          ],
        ),
        "return s;",
      ];
    });
  },
};

const convWeight: Lowering<"convWeight"> = {
  lower({ inputs: [x, y], params, outputs: [w] }, b) {
    const g = geometry(x!.shape, w!.shape, params);
    const reads = sources([b.place(x!), b.place(y!)]);
    const result = b.result(w!);
    // A sum over all pixels of all images: one part per image, or per row.
    const byRow = g.Ho * g.Wo > LONG && sizeOf(w!.shape) * g.N * g.Ho <= MOST_PARTS;
    const dims = [g.N, byRow ? g.Ho : 1, ...w!.shape];
    const count = dims[0]! * dims[1]!;
    const parts = count === 1 ? result : freshPlace([count, ...w!.shape]);
    b.launch("convWeight part", parts, dims, reads, (at) => {
      const [n, row, o, k, u, v] = at as unknown as readonly [string, string, string, string, string, string];
      const [i, j] = byRow ? [row, "r0"] : ["r0", "r1"];
      const product = `${reads.read(0, [n, "c", "y", "x"])} * ${reads.read(1, [n, o, i!, j!])}`;
      return [
        `const c = ${firstOf(g, o, g.O / g.groups, g.C / g.groups)} + ${k};`,
        "let s = 0;",
        ...nested(byRow ? [g.Wo] : [g.Ho, g.Wo], [
          `const y = ${tap(i!, u, 0, g)};`,
          `const x = ${tap(j!, v, 1, g)};`,
          `if (${inside("y", g.H)} && ${inside("x", g.W)}) { s = s + ${product}; }`,
        ]),
        "return s;",
      ];
    });
    if (count > 1) lowerParts("convWeight", wholeOf(parts.root, [count, sizeOf(w!.shape)]), result, b);
  },
};

export const convKernels = { conv2d, convInput, convWeight };
