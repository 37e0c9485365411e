// varMean of long walks: mean, then squares of distances from it, in one kernel; blocks of one result are joined by a second
// (Chan, Golub and LeVeque 1979: M2 of all = sum of M2 + n (mean - mean of all)^2).
import { sources } from "../builder.ts";
import { freshPlace } from "../place.ts";
import type { Tuned } from "./overlay.ts";
import { bindings, whole } from "./text.ts";
import { entry, gathered, walkOf } from "./walk.ts";

const add = (a: string, b: string): string => `${a} + ${b}`;

export const varMean: Tuned<"varMean"> = ({ params: { axes }, outputs }, b, value) => {
  const { roots, names } = sources(value.leaves);
  const walk = walkOf(value, axes, names);
  if (!walk) return false;
  const { cells, blocks, total, length, groups } = walk;
  const results = outputs.map((t) => b.result(t).root);
  const parts = blocks === 1 ? results : outputs.map(() => freshPlace([cells, blocks]).root);
  const text = [
    ...bindings(1, 2),
    ...entry(walk),
    ...walk.head,
    "var s = 0.0;",
    ...walk.loop((x) => [`s += ${x};`]),
    ...gathered(walk, add),
    "let mean = shared_[0] / f32(end - start);",
    "workgroupBarrier();",
    "s = 0.0;",
    ...walk.loop((x) => [`let d = ${x} - mean;`, "s += d * d;"]),
    ...gathered(walk, add),
    `if (id == 0u) { y0[unit] = shared_[0]${blocks === 1 ? ` / ${total}.0` : ""}; y1[unit] = mean; }`,
    "}",
  ].join("\n");
  b.tuned({ name: "varMean", text, groups, reads: roots, writes: parts });
  if (blocks > 1)
    b.tuned({
      ...{ name: "varMean join", text: joinText({ blocks, total, length }), reads: parts, writes: results },
      groups: [cells, 1, 1],
    });
  return true;
};

function joinText({ blocks, total, length }: { blocks: number; total: number; length: number }): string {
  const join = { threads: 64 };
  const loop = (line: string) => [
    `for (var p = id; p < ${whole(blocks)}; p += 64u) {`,
    `let n = f32(min(${whole(length)}, ${whole(total)} - p * ${whole(length)}));`,
    `let at = group.x * ${whole(blocks)} + p;`,
    line,
    "}",
  ];
  return [
    ...bindings(2, 2),
    ...entry(join),
    "var s = 0.0;",
    ...loop("s += n * a1[at];"),
    ...gathered(join, add),
    `let mean = shared_[0] / ${total}.0;`,
    "workgroupBarrier();",
    "s = 0.0;",
    ...loop("let d = a1[at] - mean; s += a0[at] + n * d * d;"),
    ...gathered(join, add),
    `if (id == 0u) { y0[group.x] = shared_[0] / ${total}.0; y1[group.x] = mean; }`,
    "}",
  ].join("\n");
}
