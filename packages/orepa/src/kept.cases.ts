// What a training step keeps between its forward and its backward pass, read off the program as it is printed.
import { type PrimitiveName, primitives } from "@orepa/tensor";

const bytesOfFloat32 = 4;
/** `%1[2, 3], %2[2] = name v0 %0 {...}` */
const line = /^(?<made>.+) = (?<name>\w+) (?<used>[^{]*)/;
const value = /(?<id>%\d+)\[(?<shape>[\d, ]*)\]/g;

/**
 * Bytes of the values made before the program's first result (the loss, with which the forward pass ends) and read after it. Views
 * count as what they look at; inputs, Variables, constants and hoisted values do not count.
 */
export function keptBytes(program: string): number {
  const lines = program.split("\n");
  const loss = /return (%\d+)/.exec(lines.at(-1)!)![1]!;
  const roots = new Map<string, string>();
  const alive = new Map<string, number>();
  const kept = new Set<string>();
  let forward = true;
  for (const text of lines) {
    const { made, name, used } = line.exec(text)?.groups ?? {};
    if (made === undefined) continue;
    const operands = used!
      .trim()
      .split(" ")
      .map((id) => roots.get(id) ?? id);
    const isView = primitives[name as PrimitiveName].kind === "view"; // printed names are those of the table
    for (const { groups } of made.matchAll(value)) {
      const { id, shape } = groups as { id: string; shape: string };
      if (isView) roots.set(id, operands[0]!);
      else if (forward) alive.set(id, bytesOfFloat32 * shape.split(", ").reduce((n, side) => n * Number(side), 1));
    }
    if (!forward) for (const id of operands) if (alive.has(id)) kept.add(id);
    if (made.startsWith(`${loss}[`)) forward = false;
  }
  return [...kept].reduce((n, id) => n + alive.get(id)!, 0);
}
