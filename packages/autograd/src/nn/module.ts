// What a module is, and the walk over its fields that finds its Variables. Modules are plain classes; there is no registry.
import { type Dtype, isFloating, type Tensor, Variable } from "@orepa/tensor";
import { Parameter } from "./parameter.ts";

/** Train: batch statistics, dropout. Eval: running statistics, no randomness. */
export type Mode = "train" | "eval";

/**
 * A layer or a whole network: fields hold its Variables and its sub-modules (arrays are lists of modules), field names are PyTorch's
 * state dict names. Other fields are plain configuration. Layers of several inputs or outputs have a `forward` of their own signature.
 *
 * @example
 * class Block implements Module {
 *   readonly conv = new Conv2d(3, 8, 3);
 *   readonly bn = new BatchNorm2d(8);
 *   forward = (x: Tensor, mode: Mode) => silu(this.bn.forward(this.conv.forward(x), mode));
 * }
 */
export interface Module {
  forward(x: Tensor, mode: Mode): Tensor;
}

/** A Variable with its key (the path of field names, joined by dots) and the module that holds it. */
export interface NamedVariable {
  readonly key: string;
  readonly variable: Variable;
  readonly owner: object;
}

/** Every module in `root`, itself first (path ""), depth first in field order; a shared module comes once per path. */
export function* namedModules(root: object, path = ""): Generator<[path: string, module: object]> {
  yield [path, root];
  for (const [name, value] of Object.entries(root)) if (isModule(value)) yield* namedModules(value, join(path, name));
}

/** Every Variable in `root`, in field order; a shared one comes once per path. */
export function* walkVariables(root: object, path = ""): Generator<NamedVariable> {
  for (const [name, value] of Object.entries(root)) {
    const key = join(path, name);
    if (value instanceof Variable) yield { key, variable: value, owner: root };
    else if (isModule(value)) yield* walkVariables(value, key);
  }
}

/** Every Variable (parameters, buffers) by its state dict key. */
export const namedVariables = (module: object): Map<string, Variable> =>
  new Map([...walkVariables(module)].map(({ key, variable }) => [key, variable]));

/** Every Parameter, frozen ones too, by its first state dict key; a shared one comes once. */
export function namedParameters(module: object): Map<string, Parameter> {
  const keys = new Map<Parameter, string>();
  for (const { key, variable } of walkVariables(module))
    if (variable instanceof Parameter && !keys.has(variable)) keys.set(variable, key);
  return new Map([...keys].map(([parameter, key]) => [key, parameter]));
}

/** Every Parameter that is trained, in the order of `namedParameters`. */
export const parameters = (module: object): Parameter[] =>
  [...namedParameters(module).values()].filter((parameter) => parameter.trainable);

/** The number of distinct modules, the root and lists of modules counted: the "layers" of a model summary. */
export const countModules = (module: object): number =>
  new Set([...namedModules(module)].map(([, found]) => found)).size;

/** Gives every Parameter its first values, each from its own stream of (seed, key): adding a layer does not change the others. */
export function initialize(module: object, seed: number): void {
  for (const [key, parameter] of namedParameters(module)) parameter.initialize(`${seed}/${key}`);
}

/** Casts every floating Variable in place, and returns the module; float64 is for gradient checks and exact merges. */
export function toDtype<M extends object>(module: M, dtype: Dtype): M {
  for (const variable of namedVariables(module).values()) if (isFloating(variable.dtype)) variable.to(dtype);
  return module;
}

/** Whether a field holds something to walk into: an object with `forward`, or a list with modules or Variables in it. */
function isModule(value: unknown): value is object {
  if (Array.isArray(value)) return value.some((item) => item instanceof Variable || isModule(item));
  return typeof value === "object" && value !== null && "forward" in value && typeof value.forward === "function";
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);
