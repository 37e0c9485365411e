// What a module costs, without computing it: parameters, and operations read off the equations of a forward pass on symbols.
import { type Mode, type Module, namedParameters } from "@orepa/autograd";
import { type Equation, type PrimitiveName, primitives, type Shape, sizeOf, Tensor, Trace } from "@orepa/tensor";
import { replaceModules } from "./replace.ts";

/** A network: like a module, but what comes out may be anything. */
export interface Network {
  forward(x: Tensor, mode: Mode): unknown;
}

/** The number of parameters, frozen ones too. */
export const parameterCount = (module: object): number =>
  [...namedParameters(module).values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** The primitives that all but a little of the work is in. */
const dense: ReadonlySet<PrimitiveName> = new Set(["conv2d", "matmul"]);

/**
 * Operations of one forward pass on an input of `shape`, two for every multiply-add of a convolution or a product of matrices; the
 * merge of kernels counts too.
 */
export const flopsOf = (module: Network, shape: Shape): number =>
  equationsOf(module, shape).reduce((sum, equation) => sum + flops(equation), 0);

function flops({ name, inputs, outputs, params }: Equation): number {
  // name and params come from one equation, so they fit together
  const { flops: count } = primitives[name] as { flops?: (i: unknown, o: unknown, p: unknown) => number };
  return dense.has(name) ? (count?.(inputs, outputs, params) ?? 0) : 0;
}

/** The shape of what each of some modules inside of `root` is given first when `root` runs on an input of `shape`. */
export function inputShapes(root: Network, shape: Shape, modules: Iterable<Module>): ReadonlyMap<Module, Shape> {
  const seen = new Map<Module, Shape>();
  const watched = new Map<object, Module>();
  for (const module of modules)
    watched.set(module, {
      forward: (x, mode) => {
        if (!seen.has(module)) seen.set(module, x.shape);
        return module.forward(x, mode);
      },
    });
  const top = replaceModules(root, watched) as Network; // the root or what watches it
  try {
    equationsOf(top, shape);
  } finally {
    replaceModules(root, new Map([...watched].map(([module, watcher]) => [watcher, module])));
  }
  return seen;
}

function equationsOf(module: Network, shape: Shape): readonly Equation[] {
  const trace = new Trace();
  const [first] = namedParameters(module).values();
  const input = new Tensor(shape, first?.dtype ?? "float32", undefined, trace);
  trace.record(() => module.forward(input, "eval"));
  return trace.equations;
}
