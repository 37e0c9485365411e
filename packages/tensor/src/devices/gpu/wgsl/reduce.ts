// sum, amax and amin of long walks. A sum takes the expression that it adds up into its loop.
import { type Builder, sources } from "../builder.ts";
import { type Computation, readingOf } from "../computation.ts";
import { wgsl } from "../language.ts";
import { reduce } from "../lower/reduce.ts";
import { freshPlace, type Place, wholeOf } from "../place.ts";
import { adding, extremes, type Reduction } from "../reductions.ts";
import type { Tuned } from "./overlay.ts";
import { bindings } from "./text.ts";
import { entry, gathered, walkOf } from "./walk.ts";

/** Reduces a value over axes into a place, unless a thread per result is as good. */
function reduceTuned(
  name: string,
  value: Computation,
  axes: readonly number[],
  { result, reduction }: { result: () => Place; reduction: Reduction },
  b: Builder,
): boolean {
  const { roots, names } = sources(value.leaves);
  const walk = walkOf(value, axes, names);
  if (!walk) return false;
  const { cells, blocks, groups } = walk;
  const target = blocks === 1 ? result() : freshPlace([cells, blocks]);
  const combine = (s: string, v: string) => reduction.combine(s, v, wgsl);
  const text = [
    ...bindings(roots.length, 1),
    ...entry(walk),
    ...walk.head,
    `var s = ${wgsl.number(reduction.initial)};`,
    ...walk.loop((x) => [`s = ${combine("s", x)};`]),
    ...gathered(walk, combine),
    "if (id == 0u) { y0[unit] = shared_[0]; }",
    "}",
  ].join("\n");
  b.tuned({ name, text, groups, reads: roots, writes: [target.root] });
  if (blocks === 1) return true;
  const parts = readingOf(wholeOf(target.root, [cells, blocks]));
  if (!reduceTuned(name, parts, [1], { result, reduction }, b)) reduce(name, parts, [1], result(), reduction, b);
  return true;
}
export const sum: Tuned<"sum"> = ({ params: { axes }, outputs: [y] }, b, value) =>
  reduceTuned("sum", value, axes, { result: () => b.result(y!), reduction: adding }, b);

const extreme =
  (name: "amax" | "amin"): Tuned<"amax" | "amin"> =>
  ({ params: { axes }, outputs: [y] }, b, value) =>
    reduceTuned(name, value, axes, { result: () => b.result(y!), reduction: extremes[name] }, b);
export const amax = extreme("amax") as Tuned<"amax">;
export const amin = extreme("amin") as Tuned<"amin">;
