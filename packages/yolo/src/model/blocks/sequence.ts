// A chain of modules: the array is the container, as in the state dict names (`m.0`, `m.1`).

import type { Mode, Module } from "@orepa/autograd";
import type { Tensor } from "@orepa/tensor";

/** Applies the modules one after the other. */
export const forwardAll = (modules: readonly Module[], x: Tensor, mode: Mode): Tensor =>
  modules.reduce((y, module) => module.forward(y, mode), x);

/** `count` modules, each from `create`. */
export const repeat = <M>(count: number, create: () => M): M[] => Array.from({ length: count }, create);
