// Computes equal things once: same primitive, inputs and parameters. hostCall may be impure and is left alone.
import type { Equation } from "../bind.ts";
import { showShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { type Pass, substitute, uniform } from "./program.ts";

export const commonSubexpressions: Pass = (program) => {
  const ids = new Map<Tensor, string>();
  const seen = new Map<string, Equation>();
  const replacements = new Map<Tensor, Tensor>();
  const id = (t: Tensor): string => {
    let name = ids.get(t);
    if (name === undefined) {
      const value = uniform(t);
      name = value === undefined ? `%${ids.size}` : `${value} ${showShape(t.shape)} ${t.dtype}`;
      ids.set(t, name);
    }
    return name;
  };
  // Most equations share their parameters: none.
  const texts = new Map<object, string>();
  const textOf = (params: object): string => {
    let text = texts.get(params);
    if (text === undefined) {
      text = JSON.stringify(params);
      texts.set(params, text);
    }
    return text;
  };
  const kept: Equation[] = [];
  for (const e of program.equations) {
    const inputs = e.inputs.map((t) => replacements.get(t) ?? t);
    const key = `${e.name}(${inputs.map(id).join(", ")}) ${textOf(e.params)}`;
    const same = e.name === "hostCall" ? undefined : seen.get(key);
    if (same)
      e.outputs.forEach((o, i) => {
        replacements.set(o, same.outputs[i]!);
      });
    else {
      seen.set(key, e);
      kept.push(e);
    }
  }
  return substitute(program, replacements, kept);
};
