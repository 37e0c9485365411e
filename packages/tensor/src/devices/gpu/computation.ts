// A value as kernel text: the places it reads, and the lines that compute it from them. A kernel of its own stores it; a sum
// takes it into its loop.
import type { Equation } from "../../bind.ts";
import { uniform } from "../../passes/program.ts";
import type { Shape } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { type Builder, sources } from "./builder.ts";
import { type Expression, expressions } from "./expressions.ts";
import { type Language, script } from "./language.ts";
import { collapse, type Place } from "./place.ts";
import { index } from "./text.ts";

export interface Computation {
  readonly shape: Shape;
  /** All of the shape. */
  readonly leaves: readonly Place[];
  /** Lines, and the text of the result, once the leaves' elements have names. */
  compute(
    leaves: readonly string[],
    language: Language,
  ): { readonly lines: readonly string[]; readonly result: string };
}

/** A value as it lies in memory. */
export const readingOf = (place: Place): Computation => ({
  shape: place.shape,
  leaves: [place],
  compute: ([x]) => ({ lines: [], result: x! }),
});

/** The value that pointwise equations make of what has a place. The last of them makes it. */
export function computationOf(value: Tensor, equations: readonly Equation[], b: Builder): Computation {
  const made = new Map(equations.map((e, i) => [e.outputs[0]!, `v${i}`]));
  const needsPlace = (t: Tensor) => !made.has(t) && literal(t) === undefined;
  const read = [...new Set([...equations.flatMap((e) => e.inputs), value].filter(needsPlace))];
  return {
    shape: value.shape,
    leaves: read.map((t) => b.place(t)),
    compute(leaves, language) {
      const text = (t: Tensor): string => {
        const x = literal(t);
        return made.get(t) ?? (x === undefined ? leaves[read.indexOf(t)]! : language.number(x));
      };
      const lines = equations.map((e, i) => {
        const row = expressions[e.name as keyof typeof expressions] as Expression<typeof e.name>; // name and row agree
        const [x = "", y = "", z = ""] = e.inputs.map(text);
        return language.define(`v${i}`, row.expression([x, y, z], language, e));
      });
      return { lines, result: text(value) };
    },
  };
}
/** The number that a constant repeats. NaN has no text. */
function literal(t: Tensor): number | undefined {
  const x = uniform(t);
  return x === undefined || Number.isNaN(x) ? undefined : x;
}

/** The lines that read the leaves at coordinates and compute the value. */
export function linesOf(
  { leaves, compute }: Computation,
  strides: readonly (readonly number[])[],
  at: readonly string[],
): { readonly lines: readonly string[]; readonly result: string } {
  const { names } = sources(leaves);
  const loads = leaves.map(({ offset }, i) => `const x${i} = ${names[i]}[${index(offset, strides[i]!, at)}];`);
  const { lines, result } = compute(
    leaves.map((_, i) => `x${i}`),
    script,
  );
  return { lines: [...loads, ...lines], result };
}

/** One kernel that stores the value. */
export function store(name: string, computation: Computation, result: Place, b: Builder): void {
  const { leaves, shape } = computation;
  const loops = collapse(shape, [...leaves.map(({ stride }) => stride), result.stride]);
  b.launch(name, result, loops.dims, sources(leaves), (at) => {
    const { lines, result: value } = linesOf(computation, loops.strides, at);
    return [...lines, `return ${value};`];
  });
}
