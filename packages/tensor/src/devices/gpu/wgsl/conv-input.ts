// convInput as a product: rows are the input channels of a group, columns input pixels, terms output channels and taps. With
// a stride, pixels that meet the same taps make a product of their own: one in s x s taps and more would be zeros otherwise.
import { convolution, isDense } from "./conv.ts";
import type { Tuned } from "./overlay.ts";
import { below4, coordinates, sum, whole } from "./text.ts";
import { productLaunch } from "./tiles.ts";

export const convInput: Tuned<"convInput"> = ({ inputs: [map, weight], params, outputs: [output] }, b) => {
  const [w, place] = [b.place(weight!), b.place(map!)];
  const { g, y } = convolution({ x: undefined, y: place }, { x: params.shape, w: weight!.shape }, params);
  const [s, d, p, k, sides] = [g.stride, g.dilation, g.padding, [g.kh, g.kw], [g.H, g.W]] as const;
  if (!isDense(g) || s.some((n, axis) => n > 1 && d[axis]! > 1)) return false;
  const [Cg, Og] = [g.C / g.groups, g.O / g.groups];
  // Along an axis, pixels i = s q + shift of one phase r meet the taps u = r + s m: the map's row is q + (shift + p - r) / s - m.
  const counts = [0, 1].map((axis) => Math.ceil(sides[axis]! / s[axis]!));
  const taps = [Og, ...[0, 1].map((axis) => Math.ceil(k[axis]! / s[axis]!))];
  const phases = coordinates("z", [g.groups, s[0], s[1]], "r");
  const [group, ...phase] = phases.at as [string, string, string];
  const shift = (axis: 0 | 1): string =>
    `(${phase[axis]} + ${whole(s[axis] * Math.ceil(p[axis] / s[axis]) - p[axis])}) % ${whole(s[axis])}`;
  const first = (at: string, axis: 0 | 1): string =>
    `${at} + (${shift(axis)} + ${whole(p[axis])} - ${phase[axis]}) / ${whole(s[axis])}`;
  const cells = coordinates("cell", [g.N, ...counts], "p");
  const [n, q0, q1] = cells.at as [string, string, string];
  const window = coordinates("term", taps, "t");
  const [o, m0, m1] = window.at as [string, string, string];
  const tap = (m: string, axis: 0 | 1, phase: string): string =>
    s[axis] === 1 ? m : `${phase} + ${m} * ${whole(s[axis])}`;
  // In the last turn of a phase there may be no tap left.
  const exists = (["at.u", "at.v"] as const).flatMap((phase, axis) =>
    taps[axis + 1]! * s[axis]! > k[axis]! ? [below4(tap([m0, m1][axis]!, axis as 0 | 1, phase), k[axis]!)] : [],
  );
  const [outWeight, inWeight, perTapRow, perTap] = w.stride as [number, number, number, number];
  const [perImage, perChannel, perRow, perPixel] = y!.stride as [number, number, number, number];
  const start = phases.lines.concat(`let u = ${phase[0]};`, `let v = ${phase[1]};`);
  return productLaunch(b, {
    name: "convInput",
    ...{ rows: Cg, columns: g.N * counts[0]! * counts[1]!, terms: taps[0]! * taps[1]! * taps[2]! },
    depth: g.groups * s[0] * s[1],
    left: {
      order: "terms",
      fields: ["base", "u", "v"],
      lines: [...start, `let base = ${sum(w.offset, [Og * outWeight, inWeight], [group, "cell"])};`],
      load: {
        lines: window.lines,
        index: `at.base + ${sum(0, [outWeight, perTapRow, perTap], [o, `(${tap(m0, 0, "at.u")})`, `(${tap(m1, 1, "at.v")})`])}`,
        ...(exists.length && { inside: exists.join(" & ") }),
      },
    },
    right: {
      order: "cells",
      fields: ["base", "y", "x", "u", "v"],
      lines: [
        ...start,
        ...cells.lines,
        `let base = ${sum(y!.offset, [perImage, Og * perChannel], [n, group])};`,
        `let y = ${first(q0, 0)};`,
        `let x = ${first(q1, 1)};`,
      ],
      load: {
        lines: [
          ...window.lines,
          `let y = at.y - ${m0} * ${whole(s[0] === 1 ? d[0] : 1)};`,
          `let x = at.x - ${m1} * ${whole(s[1] === 1 ? d[1] : 1)};`,
        ],
        index: `at.base + ${sum(0, [perChannel, perRow, perPixel], [o, "y", "x"])}`,
        inside: [below4("y", g.Ho), below4("x", g.Wo), ...exists].join(" & "),
      },
    },
    store: {
      base: `${group} * ${whole(Cg * g.H * g.W)}`,
      perRow: g.H * g.W,
      lines: [
        ...phases.lines,
        ...coordinates("column", [g.N, ...counts], "p").lines,
        `let i = ${q0} * ${whole(s[0])} + ${shift(0)};`,
        `let j = ${q1} * ${whole(s[1])} + ${shift(1)};`,
      ],
      index: sum(0, [g.C * g.H * g.W, g.W, 1], [n, "i", "j"]),
      ...(counts.some((count, axis) => count * s[axis]! > sides[axis]!) && {
        inside: `${below4("i", g.H)} & ${below4("j", g.W)}`,
      }),
    },
    reads: [w.root, y!.root],
    result: b.result(output!).root,
  });
};
