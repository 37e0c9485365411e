// Epilogues: a group that only adds a bias to a convolution and takes its SiLU is done by the convolution itself, on the
// sums before they are stored.
import type { Equation, EquationOf } from "../../../bind.ts";
import { type Group, type Item, isGroup } from "../../../passes/fuse.ts";
import type { Program } from "../../../passes/program.ts";
import type { Tensor } from "../../../tensor.ts";

export interface Epilogue {
  /** One value per channel, as an expanded tensor. */
  readonly bias: Tensor | undefined;
  readonly silu: boolean;
  /** What is stored instead of the convolution's own result. */
  readonly output: Tensor;
  /** The group that need not run. */
  readonly group: Group;
}

/** The convolutions that have one. `isStill`: what exists before all runs, because a convolution may run before its group. */
export function epilogues(
  program: Program,
  items: readonly Item[],
  isStill: (t: Tensor) => boolean,
): ReadonlyMap<Equation, Epilogue> {
  const makers = new Map<Tensor, Equation>();
  for (const e of program.equations) for (const o of e.outputs) makers.set(o, e);
  const readers = new Map<Tensor, number>();
  const count = (t: Tensor) => readers.set(t, (readers.get(t) ?? 0) + 1);
  for (const item of items) for (const t of isGroup(item) ? item.leaves : item.inputs) count(t);
  for (const t of [...program.outputs, ...program.updates.values()]) count(t);
  const found = new Map<Equation, Epilogue>();
  for (const item of items) {
    if (!isGroup(item) || item.reductions.length > 0 || item.stores.length !== 1) continue;
    for (const leaf of item.leaves) {
      const conv = makers.get(leaf);
      if (conv?.name !== "conv2d" || readers.get(leaf) !== 1 || found.has(conv)) continue;
      const epilogue = match(conv, item, (t) => isPerChannel(t, makers) && isStill(t));
      if (epilogue) found.set(conv, epilogue);
    }
  }
  return found;
}

/** y + bias, silu(y) or silu(y + bias), and nothing else. */
function match(conv: EquationOf<"conv2d">, group: Group, isBias: (t: Tensor) => boolean): Epilogue | undefined {
  const output = group.stores[0]!;
  const rest = [...group.equations];
  let value = conv.outputs[0]!;
  let bias: Tensor | undefined;
  const [first] = rest;
  if (first?.name === "add") {
    const other = first.inputs.find((t) => t !== value);
    if (!first.inputs.includes(value) || !other || !isBias(other)) return undefined;
    bias = other;
    value = first.outputs[0]!;
    rest.shift();
  }
  const common = { bias, output, group };
  if (rest.length === 0) return bias && value === output ? { ...common, silu: false } : undefined;
  const [sigmoid, product] = rest;
  if (rest.length !== 2 || sigmoid!.name !== "sigmoid" || product!.name !== "mul") return undefined;
  const gate = sigmoid!.outputs[0]!;
  const fits = sigmoid!.inputs[0] === value && product!.inputs.includes(value) && product!.inputs.includes(gate);
  return fits && product!.outputs[0] === output ? { ...common, silu: true } : undefined;
}

/** Whether a tensor repeats [1, C, 1, 1] over images and pixels. */
function isPerChannel(t: Tensor, makers: ReadonlyMap<Tensor, Equation>): boolean {
  const maker = makers.get(t);
  if (maker?.name !== "expand" || t.rank !== 4) return false;
  const { shape } = maker.inputs[0]!;
  return shape.every((n, axis) => (axis === 1 ? n === t.shape[1] : n === 1));
}
