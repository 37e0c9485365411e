// A program as text, one equation a line: for tests that show a pass's effect and for curious people.
import { showShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { type Program, uniform } from "./program.ts";

/** `%1[2, 3] = mul x0 2 {}`: inputs are x0.., Variables v0.., constants c0.., values %0.. */
export function printProgram({ inputs, variables, equations, outputs, updates }: Program): string {
  const names = new Map<Tensor, string>();
  inputs.forEach((t, i) => {
    names.set(t, `x${i}`);
  });
  [...variables.values()].forEach((t, i) => {
    names.set(t, `v${i}`);
  });
  let constants = 0;
  let values = 0;
  const name = (t: Tensor): string => {
    const number = uniform(t);
    if (number !== undefined) return String(number);
    let found = names.get(t);
    if (!found) {
      found = t.view ? `c${constants++}` : `%${values++}`;
      names.set(t, found);
    }
    return found;
  };
  const lines = equations.map((e) => {
    const args = e.inputs.map(name).join(" ");
    const params = Object.keys(e.params).length ? ` ${JSON.stringify(e.params)}` : "";
    return `${e.outputs.map((t) => `${name(t)}${showShape(t.shape)}`).join(", ")} = ${e.name} ${args}${params}`;
  });
  for (const [variable, t] of updates) lines.push(`${name(variables.get(variable)!)} <- ${name(t)}`);
  return [...lines, `return ${outputs.map(name).join(", ")}`].join("\n");
}
