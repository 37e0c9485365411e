// conv2d as a product: rows are the output channels of a group, columns all output pixels, terms input channels and taps.
import { convolution, isDense } from "./conv.ts";
import type { Tuned } from "./overlay.ts";
import { below4, coordinates, strided, sum, whole } from "./text.ts";
import { productLaunch } from "./tiles.ts";

export const conv2d: Tuned<"conv2d"> = ({ inputs: [input, weight], params, outputs: [output] }, b) => {
  const [w, place] = [b.place(weight!), b.place(input!)];
  const { g, x } = convolution({ x: place, y: undefined }, { x: input!.shape, w: weight!.shape }, params);
  if (!isDense(g)) return false;
  const [Cg, Og, pixels] = [g.C / g.groups, g.O / g.groups, g.Ho * g.Wo];
  const taps = [Cg, g.kh, g.kw];
  const fromWeight = strided("term", { shape: taps, stride: w.stride.slice(1), prefix: "t" });
  const columns = coordinates("cell", [g.N, g.Ho, g.Wo], "p");
  const [n, i, j] = columns.at as [string, string, string];
  const [perImage, perChannel, perRow, perPixel] = x!.stride as [number, number, number, number];
  const window = coordinates("term", taps, "t");
  const [c, u, v] = window.at as [string, string, string];
  const padded = g.padding[0] + g.padding[1] > 0;
  return productLaunch(b, {
    name: "conv2d",
    ...{ rows: Og, columns: g.N * pixels, terms: Cg * g.kh * g.kw, depth: g.groups },
    left: {
      order: "terms",
      fields: ["base"],
      lines: [`let base = ${sum(w.offset, [Og * w.stride[0]!, w.stride[0]!], ["z", "cell"])};`],
      load: { lines: fromWeight.lines, index: `at.base + ${fromWeight.index}` },
    },
    right: {
      order: "cells",
      fields: ["base", "y", "x"],
      lines: [
        ...columns.lines,
        `let base = ${sum(x!.offset, [perImage, Cg * perChannel], [n, "z"])};`,
        `let y = ${i} * ${whole(g.stride[0])} - ${whole(g.padding[0])};`,
        `let x = ${j} * ${whole(g.stride[1])} - ${whole(g.padding[1])};`,
      ],
      load: {
        lines: [
          ...window.lines,
          `let y = at.y + ${u} * ${whole(g.dilation[0])};`,
          `let x = at.x + ${v} * ${whole(g.dilation[1])};`,
        ],
        index: `at.base + ${sum(0, [perChannel, perRow, perPixel], [c, "y", "x"])}`,
        ...(padded && { inside: `${below4("y", g.H)} & ${below4("x", g.W)}` }),
      },
    },
    store: {
      base: `z * ${whole(Og * pixels)}`,
      perRow: pixels,
      lines: [],
      index: `column / ${whole(pixels)} * ${whole(g.O * pixels)} + column % ${whole(pixels)}`,
    },
    reads: [w.root, x!.root],
    result: b.result(output!).root,
  });
};
