// grad and valueAndGrad: reverse mode over the list of equations that a function binds.
import {
  add,
  type Equation,
  isFloating,
  OpError,
  observe,
  onesLike,
  type Tensor,
  Variable,
  zerosLike,
} from "@orepa/tensor";
import { customCallOf } from "./custom-vjp.ts";
import { applyVjp, isDifferentiable } from "./vjps.ts";

/** What can be differentiated for: tensors, and Variables by the value they hold when the function runs. */
export type Differentiable = Tensor | Variable;

/** A value with its gradients. */
export interface ValueAndGrad<W extends Differentiable = Differentiable> {
  readonly value: Tensor;
  /** One gradient per element of `wrt`, of its shape and dtype; zeros where the value does not depend on it. */
  readonly grads: Map<W, Tensor>;
}

/**
 * Runs `fn` and differentiates its scalar value for `wrt`, which `fn` uses by closing over them. Works eagerly and inside
 * `compile`; gradients are made of ops, so calls nest: the gradient of a function of gradients is of second order.
 *
 * A Variable counts by the tensor it holds when the call begins. Only what depends on `wrt` and leads to the value is computed.
 *
 * @throws OpError if the value is not a float scalar, or an element of `wrt` is not of a float dtype.
 * @example
 * const x = tensor([3]);
 * const { value, grads } = valueAndGrad(() => sum(mul(x, x)), [x]);
 * value; // -> 9
 * grads.get(x); // -> [6]
 */
export function valueAndGrad<W extends Differentiable>(fn: () => Tensor, wrt: Iterable<W>): ValueAndGrad<W> {
  const targets = new Map<W, Tensor>();
  for (const x of wrt) targets.set(x, x instanceof Variable ? x.value : (x as Tensor));
  for (const { shape, dtype } of targets.values())
    if (!isFloating(dtype)) throw new OpError("grad", "a float tensor to differentiate for", `[${shape}] ${dtype}`);

  const tape: Equation[] = [];
  const value = observe((equation) => tape.push(equation), fn);
  if (value.rank !== 0 || !isFloating(value.dtype))
    throw new OpError(
      "grad",
      "a function with a float scalar value",
      `[${value.shape}] ${value.dtype}`,
      "sum or average it",
    );

  const active = activeTensors(tape, targets.values());
  const cotangents = new Map<Tensor, Tensor>();
  const give = (x: Tensor, ct: Tensor | null): void => {
    if (!ct || !active.has(x)) return;
    const before = cotangents.get(x);
    cotangents.set(x, before ? add(before, ct) : ct);
  };
  give(value, onesLike(value));
  for (let equation = tape.pop(); equation; equation = tape.pop()) {
    const call = customCallOf(equation.outputs[0]!);
    const { inputs, outputs } = call ?? equation;
    if (!outputs.some((y) => cotangents.has(y))) continue;
    const needs = inputs.map((x) => active.has(x));
    const cts = outputs.map((y) => cotangents.get(y) ?? zerosLike(y));
    // Complete and used up: nothing that ran before this equation can add to them.
    for (const y of outputs) cotangents.delete(y);
    const gradients = call ? call.backward(cts, needs) : applyVjp(equation, cts, needs);
    for (const [i, ct] of gradients.entries()) give(inputs[i]!, ct);
  }
  const grads = new Map<W, Tensor>();
  for (const [x, t] of targets) grads.set(x, cotangents.get(t) ?? zerosLike(t));
  return { value, grads };
}

/** The gradients of {@link valueAndGrad} alone. */
export const grad = <W extends Differentiable>(fn: () => Tensor, wrt: Iterable<W>): Map<W, Tensor> =>
  valueAndGrad(fn, wrt).grads;

/** Everything that depends on the targets through rules: what a cotangent is worth computing for. */
function activeTensors(tape: readonly Equation[], targets: Iterable<Tensor>): Set<Tensor> {
  const active = new Set(targets);
  for (const equation of tape) {
    const call = customCallOf(equation.outputs[0]!);
    if (!call && !isDifferentiable(equation.name)) continue;
    if (!(call ?? equation).inputs.some((x) => active.has(x))) continue;
    for (const y of equation.outputs) if (isFloating(y.dtype)) active.add(y);
  }
  return active;
}
