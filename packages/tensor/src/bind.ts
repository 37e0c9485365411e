// `bind`, through which every primitive goes, and the observers that see it: the only global state of the engine.
import { allocate } from "./dtype.ts";
import { OpError } from "./errors.ts";
import { type ParamsOf, type Primitive, type PrimitiveName, primitives } from "./primitives/table.ts";
import { type Concrete, Tensor, type TensorSpec } from "./tensor.ts";

/** One line of a program: `outputs = name(inputs; params)`. */
export type Equation = { [N in PrimitiveName]: EquationOf<N> }[PrimitiveName];
export interface EquationOf<N extends PrimitiveName> {
  readonly name: N;
  readonly inputs: readonly Tensor[];
  readonly params: ParamsOf<N>;
  readonly outputs: readonly Tensor[];
}
export type Observer = (equation: Equation) => void;

const observers: Observer[] = [];
let current: object | undefined;

/** The trace that is running, if any: symbols of any other trace are refused. */
export const currentTrace = (): object | undefined => current;

/** The innermost observer that is watching, if any. What is bound under the same one is seen by the same observers. */
export const currentObserver = (): Observer | undefined => observers.at(-1);

/** Runs `fn` while `observer` sees every equation, in order. Nests. */
export function observe<T>(observer: Observer, fn: () => T): T {
  observers.push(observer);
  try {
    return fn();
  } finally {
    observers.splice(observers.lastIndexOf(observer), 1);
  }
}

/** Runs `fn` with `trace` as the current one. @throws OpError if a trace is running already. */
export function withTrace<T>(trace: object, fn: () => T): T {
  if (current)
    throw new OpError(
      "compile",
      "no other trace to be running",
      "a trace inside a trace",
      "call the plain function instead",
    );
  current = trace;
  try {
    return fn();
  } finally {
    current = undefined;
  }
}

/**
 * Applies one primitive: the shape rule first, then evaluation on the reference kernels (all inputs have data) or new
 * symbols (some do not), then the observers.
 * @throws OpError from the primitive's rule, or if a symbol of a finished trace is used.
 */
export function bind<N extends PrimitiveName>(name: N, inputs: readonly Tensor[], params: ParamsOf<N>): Tensor[] {
  // The table's rows differ in their params; `name` picks the row and the params together.
  const primitive = primitives[name] as unknown as Primitive<ParamsOf<N>>;
  const specs = primitive.infer(inputs, params);
  let known = true;
  for (const t of inputs)
    if (!t.view) {
      known = false;
      if (t.trace !== current)
        throw new OpError(
          name,
          "a tensor or a symbol of the running trace",
          "a symbol of a finished trace",
          "it leaked out of compile",
        );
    }
  const outputs = known
    ? primitive.evaluate(inputs as readonly Concrete[], params, specs, allocate)
    : specs.map((s: TensorSpec) => new Tensor(s.shape, s.dtype, undefined, current));
  // Equations hold this array: a caller that pushed into it would change the gradient.
  Object.freeze(outputs);
  // A copy: an observer may observe while it is being told.
  for (const observer of [...observers]) observer({ name, inputs, params, outputs } as Equation);
  return outputs;
}
