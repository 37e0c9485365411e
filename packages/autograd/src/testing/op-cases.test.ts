// The generic tests of every primitive and composed op, driven by the tables of cases.
import {
  bind,
  cast,
  compile,
  expand,
  flip,
  isFloating,
  OpError,
  type ParamsOf,
  type PrimitiveName,
  permute,
  primitives,
  slice,
  sum,
  type Tensor,
  type TypedArray,
} from "@orepa/tensor";
import { describe, expect, test } from "vitest";
import { grad } from "../grad.ts";
import { gradcheck } from "../gradcheck.ts";
import { isDifferentiable, type Vjp, vjps } from "../vjps.ts";
import { composedCases } from "./composed-cases.ts";
import { isSample, type OpCase } from "./op-case.ts";
import { opCases } from "./op-cases.ts";
import { sampleFunctions } from "./sample-functions.ts";

const names = Object.keys(opCases) as PrimitiveName[];
// Any one name stands for all: a case and its primitive's name always come together from the table.
const all = names.flatMap((name) =>
  (opCases[name] as readonly OpCase<"slice">[]).map((c) => ({ name: name as "slice", about: c.about, c })),
);
const samples = all.flatMap(({ c, ...rest }) => (isSample(c) ? [{ ...rest, c }] : []));
const mistakes = all.flatMap(({ c, ...rest }) => (isSample(c) ? [] : [{ ...rest, c }]));
const run = (name: PrimitiveName, inputs: readonly Tensor[], params: object): Tensor[] =>
  bind(name as "slice", inputs, params as ParamsOf<"slice">);
const asRecord = (tensors: readonly Tensor[]): Record<string, Tensor> => Object.fromEntries(tensors.entries());
const plain = ({ shape, dtype }: Tensor) => ({ shape, dtype });
/** Shape, dtype and elements; -0 counts as 0. */
const content = (x: Tensor) => ({ ...plain(x), elements: Array.from(x.toTypedArray() as Float64Array, (v) => v + 0) });

/** Equal up to `epsilon`: once per element, or once per term of a sum where the primitive has sums. */
function expectClose(
  { name, c }: Pick<(typeof samples)[number], "name" | "c">,
  y: Tensor,
  x: Tensor,
  epsilon: number,
): void {
  expect(plain(y)).toEqual(plain(x));
  const wanted = Array.from(x.toTypedArray() as Float64Array);
  const { kind } = primitives[name];
  const terms = Math.max(...c.inputs.map((t) => t.size));
  const largest = Math.max(...wanted.map(Math.abs));
  for (const [i, v] of y.toTypedArray().entries()) {
    const w = wanted[i]!;
    if (Object.is(v + 0, w + 0)) continue;
    const bound = epsilon * (kind === "pointwise" || kind === "view" ? Math.abs(w) : terms * largest);
    expect(Math.abs(v - w), `element ${i}: ${v} for ${w}`).toBeLessThanOrEqual(bound);
  }
}

describe("the table of cases", () => {
  test.each(names)("%s has a sample, and a checked gradient for every input that its rule has one for", (name) => {
    const own = samples.filter((s) => s.name === name);
    expect(own).not.toEqual([]);
    const checked = new Set(own.flatMap(({ c }) => c.gradients));
    const rule: Vjp<"slice"> = vjps[name] as unknown as Vjp<"slice">;
    if (typeof rule === "function") expect(checked.size).toBeGreaterThan(0);
    else if ("none" in rule) expect([...checked]).toEqual([]);
    else expect([...checked].sort()).toEqual([...rule.keys()].filter((i) => rule[i] !== null));
  });
});

describe("shapes and values", () => {
  test.each(samples)("$name, $about: outputs have the shapes of the case", ({ name, c }) => {
    expect(run(name, c.inputs, c.params).map((y) => y.shape)).toEqual(c.shapes);
  });

  test.each(samples)("$name, $about: compiled for the cpu gives what eager evaluation gives", async ({ name, c }) => {
    const eager = run(name, c.inputs, c.params);
    const program = compile((...x: Tensor[]) => asRecord(run(name, x, c.params)));
    const compiled = Object.values(await program(...c.inputs));
    expect(compiled.map(content)).toEqual(eager.map(content));
  });

  // The dtype of these outputs is a parameter.
  const declared: readonly string[] = ["cast", "hostCall"];
  test.each(samples.filter((s) => !declared.includes(s.name)))(
    "$name, $about: float32 is float64 rounded, but for its sums",
    ({ name, c }) => {
      const single = c.inputs.map((x) => (x.dtype === "float64" ? cast(x, "float32") : x));
      const exact = run(name, c.inputs, c.params);
      for (const [i, y] of run(name, single, c.params).entries()) {
        const x = exact[i]!;
        expect(y.dtype).toBe(x.dtype === "float64" ? "float32" : x.dtype);
        expectClose({ name, c }, y, cast(x, y.dtype), 2 ** -23);
      }
    },
  );
});

describe("views", () => {
  const copy = (x: Tensor): Tensor => bind("copy", [x], {})[0]!;
  const axesOf = (x: Tensor) => [...x.shape.keys()];
  const backwards = (x: Tensor) => flip(copy(flip(x, axesOf(x))), axesOf(x));
  const axesReversed = (x: Tensor) => permute(copy(permute(x, axesOf(x).reverse())), axesOf(x).reverse());
  const withGaps = (x: Tensor) =>
    axesOf(x).reduce((y, axis) => {
      const n = y.shape[axis]!;
      const gaps = bind("pad", [y], { axis, before: 1, after: 1, step: 2 })[0]!;
      return bind("slice", [gaps], { axis, start: 1, end: n ? 2 * n : 1, step: 2 })[0]!;
    }, x);
  /** The same values, lying otherwise in memory. */
  const layouts = [backwards, axesReversed, withGaps];

  test.each(samples)("$name, $about: the layout of the inputs does not matter", ({ name, c }) => {
    const wanted = run(name, c.inputs.map(copy), c.params);
    for (const lay of layouts)
      for (const [i, y] of run(name, c.inputs.map(lay), c.params).entries())
        expectClose({ name, c }, y, wanted[i]!, Number.EPSILON);
  });

  test.each(samples)("$name, $about: an expanded input is as good as its copy", ({ name, c }) => {
    const repeated = c.inputs.map((x) => (x.rank && x.size ? expand(slice(x, 0, 0, 1), x.shape) : x));
    const wanted = run(name, repeated.map(copy), c.params);
    for (const [i, y] of run(name, repeated, c.params).entries())
      expectClose({ name, c }, y, wanted[i]!, Number.EPSILON);
  });
});

describe("gradients", () => {
  const smooth = samples.filter(({ c }) => c.gradients.length > 0);
  // A sample with nothing in it has nothing to differentiate for, but must not fail.
  test.each(smooth)("$name, $about: order 1 and 2 agree with central differences", ({ name, c }) => {
    const { x, functions } = sampleFunctions(name, c);
    for (const fn of functions) {
      gradcheck(fn, x, { order: 1 });
      gradcheck(fn, x, { order: 2 });
    }
  });

  test.each(smooth)("$name, $about: compiled gradients are the eager ones", async ({ name, c }) => {
    const { x, functions } = sampleFunctions(name, c);
    for (const fn of functions) {
      const gradients = (...moved: Tensor[]) => asRecord([...grad(() => sum(fn(...moved)), moved).values()]);
      const eager = Object.values(gradients(...x));
      const compiled = Object.values(await compile(gradients)(...x));
      expect(compiled.map(content)).toEqual(eager.map(content));
    }
  });

  test.each(names.filter((name) => !isDifferentiable(name)))("%s stops gradients", (name) => {
    for (const { c } of samples.filter((s) => s.name === name)) {
      const x = c.inputs.filter((t) => isFloating(t.dtype));
      const total = () =>
        run(name, c.inputs, c.params)
          .map((y) => cast(sum(y), "float64"))
          .reduce((s, y) => bind("add", [s, y], {})[0]!);
      for (const g of grad(total, x).values()) expect(g.toTypedArray().every((v: number) => v === 0)).toBe(true);
    }
  });
});

describe("mistakes", () => {
  const refusal = (f: () => unknown): unknown => {
    try {
      f();
    } catch (error) {
      if (error instanceof OpError) return { op: error.op, expected: error.expected, got: error.got };
      throw error;
    }
    throw new Error("it was not refused");
  };
  test.each(mistakes)("$name refuses $about", ({ name, c }) => {
    expect(refusal(() => run(name, c.inputs, c.params))).toEqual({ op: name, ...c.error });
  });
});

describe("composed ops", () => {
  const cases = Object.entries(composedCases).flatMap(([name, list]) => list.map((c) => ({ name, about: c.about, c })));
  test.each(cases)("$name, $about: order 1 and 2 agree with central differences", ({ c }) => {
    gradcheck(c.fn, c.inputs, { order: 1 });
    gradcheck(c.fn, c.inputs, { order: 2 });
  });

  test.each(cases)("$name, $about: values and gradients of order 1 and 2 are finite in float32", ({ c }) => {
    const x = c.inputs.map((t) => cast(t, "float32"));
    const first = () => [...grad(() => sum(c.fn(...x)), x).values()];
    const second = [
      ...grad(
        () =>
          first()
            .map((g) => sum(g))
            .reduce((s, g) => bind("add", [s, g], {})[0]!),
        x,
      ).values(),
    ];
    for (const t of [c.fn(...x), ...first(), ...second])
      expect((t.toTypedArray() as TypedArray).every((v: number) => Number.isFinite(v))).toBe(true);
  });

  test.each(cases)("$name, $about: compiled gives what eager evaluation gives", async ({ c }) => {
    expect(content(await compile(c.fn)(...c.inputs))).toEqual(content(c.fn(...c.inputs)));
  });
});
