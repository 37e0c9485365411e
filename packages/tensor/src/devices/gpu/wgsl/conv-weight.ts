// convWeight as a product: rows are the output channels of a group, columns input channels and taps, terms all output pixels.
// There are few results and many terms: they are cut into parts, and the parts added up by a kernel of their own.
import { sizeOf } from "../../../shape.ts";
import { lowerParts } from "../lower/reduce.ts";
import { freshPlace, wholeOf } from "../place.ts";
import { convolution, isDense } from "./conv.ts";
import type { Tuned } from "./overlay.ts";
import { below4, coordinates, strided, sum, whole } from "./text.ts";
import { productLaunch, tileOf } from "./tiles.ts";

/** Groups of threads that keep a device busy, terms that are worth a group, and most elements of all parts. */
const [BUSY, LEAST, MOST] = [512, 256, 1 << 22];

export const convWeight: Tuned<"convWeight"> = ({ inputs: [input, map], params, outputs: [output] }, b) => {
  const places = { x: b.place(input!), y: b.place(map!) };
  const { g, x, y } = convolution(places, { x: input!.shape, w: params.shape }, params);
  if (!isDense(g)) return false;
  const [Cg, Og, taps] = [g.C / g.groups, g.O / g.groups, [g.C / g.groups, g.kh, g.kw]];
  const [columns, terms, size] = [Cg * g.kh * g.kw, g.N * g.Ho * g.Wo, sizeOf(output!.shape)];
  const { down, across } = tileOf(Og, columns);
  const tiles = Math.ceil(Og / (4 * down)) * Math.ceil(columns / (4 * across)) * g.groups;
  const most = Math.max(1, Math.min(Math.floor(terms / LEAST), Math.floor(MOST / size)));
  const parts = Math.min(most, Math.ceil(BUSY / tiles));
  const result = b.result(output!);
  const sums = parts === 1 ? result : freshPlace([parts, size]);
  const fromMap = strided("term", {
    ...{ shape: [g.N, g.Ho, g.Wo], prefix: "t" },
    stride: [y!.stride[0]!, y!.stride[2]!, y!.stride[3]!],
  });
  const cells = coordinates("cell", taps, "c");
  const [c, u, v] = cells.at as [string, string, string];
  const pixels = coordinates("term", [g.N, g.Ho, g.Wo], "t");
  const [n, i, j] = pixels.at as [string, string, string];
  const [perImage, perChannel, perRow, perPixel] = x!.stride as [number, number, number, number];
  const padded = g.padding[0] + g.padding[1] > 0;
  const launched = productLaunch(b, {
    name: "convWeight",
    ...{ rows: Og, columns, terms, depth: g.groups, parts },
    left: {
      order: "terms",
      fields: ["base"],
      lines: [`let base = ${sum(y!.offset, [Og * y!.stride[1]!, y!.stride[1]!], ["z", "cell"])};`],
      load: { lines: fromMap.lines, index: `at.base + ${fromMap.index}` },
    },
    right: {
      order: "terms",
      fields: ["base", "y", "x"],
      lines: [
        ...cells.lines,
        `let base = ${sum(x!.offset, [Cg * perChannel, perChannel], ["z", c])};`,
        `let y = ${u} * ${whole(g.dilation[0])} - ${whole(g.padding[0])};`,
        `let x = ${v} * ${whole(g.dilation[1])} - ${whole(g.padding[1])};`,
      ],
      load: {
        lines: [
          ...pixels.lines,
          `let y = at.y + ${i} * ${whole(g.stride[0])};`,
          `let x = at.x + ${j} * ${whole(g.stride[1])};`,
        ],
        index: `at.base + ${sum(0, [perImage, perRow, perPixel], [n, "y", "x"])}`,
        ...(padded && { inside: `${below4("y", g.H)} & ${below4("x", g.W)}` }),
      },
    },
    store: {
      base: `z % ${whole(parts)} * ${whole(size)} + z / ${whole(parts)} * ${whole(Og * columns)}`,
      perRow: columns,
      ...{ lines: [], index: "column" },
    },
    reads: [y!.root, x!.root],
    result: sums.root,
  });
  if (launched && parts > 1) lowerParts("convWeight", wholeOf(sums.root, [parts, size]), result, b);
  return launched;
};
