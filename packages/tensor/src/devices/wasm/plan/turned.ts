// Products of matrices that nothing reads but a permutation lie in its order: what comes behind it walks memory as it lies.
import type { EquationOf } from "../../../bind.ts";
import type { Program } from "../../../passes/program.ts";
import type { Tensor } from "../../../tensor.ts";

/** The permutation of each such product. */
export function turnedProducts({ equations, outputs, updates }: Program): ReadonlyMap<Tensor, EquationOf<"permute">> {
  const readers = new Map<Tensor, number>();
  const count = (t: Tensor) => readers.set(t, (readers.get(t) ?? 0) + 1);
  for (const { inputs } of equations) for (const t of inputs) count(t);
  for (const t of [...outputs, ...updates.values()]) count(t);
  const products = new Set(equations.flatMap((e) => (e.name === "matmul" ? e.outputs : [])));
  const turned = new Map<Tensor, EquationOf<"permute">>();
  const viewed = new Map<Tensor, Tensor>();
  for (const e of equations) {
    const [t] = e.inputs as [Tensor];
    if (e.name === "reshape") viewed.set(e.outputs[0]!, t);
    if (e.name !== "permute") continue;
    const product = viewed.get(t) ?? t;
    if (!products.has(product) || readers.get(product) !== 1 || readers.get(t) !== 1) continue;
    turned.set(product, e);
  }
  return turned;
}
