// The fused kernels of a program: equal expressions share one, all come in one module.
import { assemble, type Definition } from "../assembler.ts";
import { fusedKernel } from "./emit.ts";
import type { Expression, Ref } from "./expression.ts";

/** Gives kernels names that are stable: "fused0", "fused1", ... in the order of their first use. */
export class FusedKernels {
  readonly #names = new Map<string, string>();
  readonly #definitions: Record<string, Definition> = {};

  /** The name of the expression's kernel. */
  nameOf(expression: Expression): string {
    const key = keyOf(expression);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = `fused${this.#names.size}`;
    this.#names.set(key, name);
    this.#definitions[name] = fusedKernel(expression) as unknown as Definition; // a record of definitions of any parameters
    return name;
  }
  /** The bytes of a module that exports every kernel named so far, over an imported memory. */
  assemble({ shared }: { readonly shared: boolean }): Uint8Array {
    return assemble(this.#definitions, { shared });
  }
}

/** Equal for equal expressions. */
const keyOf = ({ operands, scalars, nodes, stores, sums }: Expression): string =>
  [
    operands.join(),
    scalars,
    nodes.map(({ name, args }) => `${name} ${args.map(keyOfRef).join()}`).join(";"),
    stores.map(({ access, value }) => `${access} ${keyOfRef(value)}`).join(),
    sums.map(keyOfRef).join(),
  ].join("|");

function keyOfRef(ref: Ref): string {
  if ("operand" in ref) return `o${ref.operand}`;
  if ("node" in ref) return `n${ref.node}`;
  if ("scalar" in ref) return `s${ref.scalar}`;
  return Object.is(ref.constant, -0) ? "-0" : `${ref.constant}`;
}
