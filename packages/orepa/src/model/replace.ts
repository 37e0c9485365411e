// Exchanging modules inside a network, in place: what every conversion of a whole model is made of.
import { BatchNorm2d, Conv2d, type Module, namedModules } from "@orepa/autograd";
import type { LinearBlock } from "../block.ts";

/** A convolution, its norm and its activation, as networks name them: what a block can take the place of. */
export interface ConvNorm extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;
  readonly act: Module;
}

/** Whether a module is a convolution with a norm and an activation under the names conv, bn and act. */
export const isConvNorm = (module: object): module is ConvNorm =>
  "conv" in module &&
  module.conv instanceof Conv2d &&
  "bn" in module &&
  module.bn instanceof BatchNorm2d &&
  "act" in module;

/** Whether a module is a re-parameterized block. */
export const isLinearBlock = (module: object): module is LinearBlock =>
  "branches" in module && "scales" in module && "geometry" in module && "kernel" in module;

/** The modules that `accepts` takes, by their first paths; nothing inside of one that was taken is looked at. */
export function findModules<M extends object>(root: object, accepts: (module: object) => module is M): Map<string, M> {
  const found = new Map<string, M>();
  const taken = new Set<object>();
  let inside: string | undefined;
  for (const [path, module] of namedModules(root)) {
    if (inside !== undefined && (inside === "" || path.startsWith(`${inside}.`))) continue;
    inside = undefined;
    if (!accepts(module)) continue;
    inside = path;
    if (!taken.has(module)) found.set(path, module);
    taken.add(module);
  }
  return found;
}

/**
 * Puts other modules in the places of some, wherever they stand in `root`, and returns the root, which may itself be exchanged. It
 * writes into the fields of the modules that hold them.
 */
export function replaceModules(root: object, replacements: ReadonlyMap<object, object>): object {
  const modules = new Map(namedModules(root));
  for (const [path, module] of modules) {
    const replacement = replacements.get(module);
    if (replacement === undefined || path === "") continue;
    const split = path.lastIndexOf(".");
    const holder = modules.get(path.slice(0, Math.max(0, split)))!;
    Reflect.set(holder, path.slice(split + 1), replacement);
  }
  return replacements.get(root) ?? root;
}
