// customVjp: gives a composed function a gradient of its own, composed of ops as well.
import { bind, OpError, type Tensor } from "@orepa/tensor";

/** What a custom gradient is made from. */
export interface CustomVjpArguments<X extends readonly Tensor[] = readonly Tensor[]> {
  readonly inputs: X;
  readonly outputs: readonly Tensor[];
  /** One per output, of its shape and dtype; zeros where an output is not used. */
  readonly cotangents: readonly Tensor[];
  /** Whether the gradient of each input is wanted; what is computed for the others is dropped. */
  readonly needs: { readonly [I in keyof X]: boolean };
}

/** One call of a custom function, as the reverse pass meets it. */
export interface CustomCall {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  backward(cotangents: readonly Tensor[], needs: readonly boolean[]): readonly (Tensor | null)[];
}

/** Calls by their outputs. Outputs are fresh tensors, so each belongs to one call and lives as long as somebody holds it. */
const calls = new WeakMap<Tensor, CustomCall>();
export const customCallOf = (output: Tensor): CustomCall | undefined => calls.get(output);

/**
 * `forward` with `backward` in place of the gradient that its ops would give.
 *
 * Both are composed of ops, so the result runs eagerly and compiled, and `backward` is differentiated for higher orders. What
 * `forward` reads beside its arguments counts as a constant: pass `variable.value` in.
 *
 * @param backward gets inputs, outputs and cotangents; returns one gradient (or null for none) per input, of its shape.
 * @throws OpError in the reverse pass if a gradient's number, shape or dtype is wrong.
 * @example
 * // exp with a gradient clipped to 1
 * const gentleExp = customVjp(exp, ({ outputs: [y], cotangents: [ct] }) => [mul(ct!, minimum(y!, 1))]);
 */
export function customVjp<X extends readonly Tensor[], Y extends Tensor | readonly Tensor[]>(
  forward: (...inputs: X) => Y,
  backward: (given: CustomVjpArguments<X>) => readonly (Tensor | null)[],
): (...inputs: X) => Y {
  return (...inputs) => {
    const result = forward(...inputs);
    const outputs = (Array.isArray(result) ? (result as readonly Tensor[]) : [result as Tensor]).map(fresh);
    const call: CustomCall = {
      inputs,
      outputs,
      backward: (cotangents, needs) => {
        // `needs` has one entry per input, which the mapped type says and a plain array cannot.
        const gradients = backward({ inputs, outputs, cotangents, needs: needs as CustomVjpArguments<X>["needs"] });
        check(inputs, gradients);
        return gradients;
      },
    };
    for (const output of outputs) calls.set(output, call);
    // The same structure as `result`, with the fresh tensors in it.
    return (Array.isArray(result) ? outputs : outputs[0]) as Y;
  };
}

/** A tensor of its own identity: forward may return an input, or a tensor that others hold. */
const fresh = (x: Tensor): Tensor => bind("copy", [x], {})[0]!;

function check(inputs: readonly Tensor[], gradients: readonly (Tensor | null)[]): void {
  if (gradients.length !== inputs.length)
    throw new OpError("customVjp", `${inputs.length} gradients, one per input`, String(gradients.length));
  for (const [i, g] of gradients.entries()) {
    const x = inputs[i]!;
    if (g && (g.shape.join() !== x.shape.join() || g.dtype !== x.dtype))
      throw new OpError("customVjp", `gradient ${i} of [${x.shape}] ${x.dtype}`, `[${g.shape}] ${g.dtype}`);
  }
}
