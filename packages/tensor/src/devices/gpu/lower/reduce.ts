// Reductions: one thread per result walks what it reduces; long walks are cut into partial results and those reduced again.
import type { EquationOf } from "../../../bind.ts";
import type { Shape } from "../../../shape.ts";
import { sizeOf } from "../../../shape.ts";
import { type Builder, type Lowering, sources } from "../builder.ts";
import { type Computation, linesOf, readingOf } from "../computation.ts";
import { script } from "../language.ts";
import { collapse, freshPlace, type Place, wholeOf } from "../place.ts";
import { adding, extremes, type Reduction } from "../reductions.ts";
import { inside, nested, number } from "../text.ts";

/** Values that a thread reduces at most where there are few results: longer walks leave most of a device idle. */
const LONG = 1024;
/** Results that keep a device busy. */
const MANY = 65536;

/** The result is `scale` times the reduction of the computed value over axes. */
export function reduce(
  name: string,
  value: Computation,
  axes: readonly number[],
  result: Place,
  { initial, combine }: Reduction,
  b: Builder,
  scale = 1,
): void {
  const { leaves, shape } = value;
  const reads = sources(leaves);
  const pick = <T>(list: readonly T[], reduced: boolean) => list.filter((_, d) => axes.includes(d) === reduced);
  const kept = collapse(pick(shape, false), [...leaves.map(({ stride }) => pick(stride, false))]);
  const walk = collapse(pick(shape, true), [...leaves.map(({ stride }) => pick(stride, true))]);
  const cells = sizeOf(kept.dims);
  const { lead, blocks, length, inner } = cut(walk.dims, sizeOf(walk.dims) > LONG && cells < MANY);
  const strides = leaves.map((_, i) => [...kept.strides[i]!, ...walk.strides[i]!]);
  const partial = lead.length > 0 || blocks > 1;
  const target = partial ? freshPlace([...kept.dims, ...lead, blocks]) : result;
  const dims = partial ? target.shape : kept.dims;
  b.launch(partial ? `${name} part` : name, target, dims, reads, (at) => {
    const rest = partial ? walk.dims.slice(-1) : walk.dims;
    const bounds = partial ? [length] : rest;
    const turns = bounds.map((_, i) => `r${i}`);
    const before = partial ? at.slice(0, -1) : at;
    const block = at.at(-1);
    const coordinates = partial && blocks > 1 ? ["p"] : turns;
    const { lines, result: x } = linesOf(value, strides, [...before, ...coordinates]);
    const add = [...lines, `s = ${combine("s", x, script)};`];
    const masked =
      partial && blocks > 1
        ? [`const p = ${block} * ${length} + r0;`, `if (${inside("p", inner)}) {`, ...add, "}"]
        : add;
    const done = !partial && scale !== 1 ? `s * ${number(scale)}` : "s";
    return [`let s = ${number(initial)};`, ...nested(bounds, masked), `return ${done};`];
  });
  if (!partial) return;
  const parts = readingOf(wholeOf(target.root, [...kept.dims, sizeOf(lead) * blocks]));
  reduce(name, parts, [kept.dims.length], result, { initial, combine }, b, scale);
}

/** Cuts a walk into `lead` x `blocks` walks over `length` values of the innermost axis, or leaves it whole. */
function cut(dims: readonly number[], long: boolean) {
  const inner = dims.at(-1) ?? 1;
  if (!long) return { lead: [], blocks: 1, length: inner, inner };
  const length = inner > LONG || dims.length === 1 ? Math.ceil(Math.sqrt(inner)) : inner;
  return { lead: dims.slice(0, -1), blocks: Math.ceil(inner / length), length, inner };
}

/** A sum over a value that is computed on the way. */
export function lowerSum({ params: { axes }, outputs }: EquationOf<"sum">, value: Computation, b: Builder): void {
  reduce("sum", value, axes, b.result(outputs[0]!), adding, b);
}

/** The sum over the first axis of parts, in the order of the result's elements. */
export function lowerParts(name: string, parts: Place, result: Place, b: Builder): void {
  reduce(name, readingOf(parts), [0], result, adding, b);
}

// Two passes: a single one needs a good guess of the mean to be accurate.
const varMean: Lowering<"varMean"> = {
  lower({ inputs: [input], params: { axes }, outputs }, b) {
    const x = b.place(input!);
    const [variance, mean] = outputs.map((t) => b.result(t)) as [Place, Place];
    const share = 1 / sizeOf(axes.map((i) => x.shape[i]!));
    reduce("varMean", readingOf(x), axes, mean, adding, b, share);
    const centre = { ...mean, shape: x.shape, stride: mean.stride.map((s, i) => (axes.includes(i) ? 0 : s)) };
    const squares: Computation = {
      shape: x.shape,
      leaves: [x, centre],
      compute: ([v, m]) => ({ lines: [`const d = ${v} - ${m};`], result: "d * d" }),
    };
    reduce("varMean", squares, axes, variance, adding, b, share);
  },
};

type Extreme = EquationOf<"amax"> | EquationOf<"amin">;
const extreme = (name: Extreme["name"]) => ({
  lower({ inputs: [x], params: { axes }, outputs: [y] }: Extreme, b: Builder): void {
    reduce(name, readingOf(b.place(x!)), axes, b.result(y!), extremes[name], b);
  },
});

/** Running sums in log2(n) launches: each adds what lies 1, 2, 4, ... before (Hillis and Steele 1986). */
const cumsum: Lowering<"cumsum"> = {
  lower({ inputs: [input], params: { axis, reverse }, outputs: [output] }, b) {
    const shape: Shape = output!.shape;
    const n = shape[axis]!;
    let from = b.place(input!);
    for (let reach = 1; reach < n; reach *= 2) {
      const result = freshPlace(shape);
      const reads = sources([from]);
      b.launch("cumsum", result, shape, reads, (at) => {
        const there = at.map((c, i) => (i === axis ? "k" : c));
        return [
          `const k = ${at[axis]} ${reverse ? "+" : "-"} ${reach};`,
          `let s = ${reads.read(0, at)};`,
          `if (${inside("k", n)}) { s = s + ${reads.read(0, there)}; }`,
          "return s;",
        ];
      });
      from = result;
    }
    b.define(output!, from);
  },
};

const sum: Lowering<"sum"> = {
  lower: (e, b) => lowerSum(e, readingOf(b.place(e.inputs[0]!)), b),
};

export const reduceKernels = { sum, varMean, amax: extreme("amax"), amin: extreme("amin"), cumsum };
