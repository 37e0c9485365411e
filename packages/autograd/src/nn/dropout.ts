// Dropout (Srivastava et al. 2014). Its noise is an input; the module draws it anew at every run from a seeded generator.
import {
  div,
  Generator,
  greaterEqual,
  hostCall,
  OpError,
  rand,
  reshape,
  slice,
  type Tensor,
  where,
} from "@orepa/tensor";
import type { Mode, Module } from "./module.ts";

/** x / (1 - p) where `noise` (uniform in [0, 1), the shape of x) is at least p, 0 elsewhere. */
export function dropout(x: Tensor, noise: Tensor, p: number): Tensor {
  return where(greaterEqual(noise, p), div(x, 1 - p), 0);
}

/** Dropout with probability p in train mode; the identity in eval mode, and where p is 0. */
export class Dropout implements Module {
  readonly p: number;
  readonly #generator: Generator;

  /** @throws OpError unless 0 <= p < 1. */
  constructor(p = 0.5, { seed = 0 }: { readonly seed?: number | string } = {}) {
    if (!(p >= 0 && p < 1)) throw new OpError("Dropout", "a probability in [0, 1)", String(p));
    this.p = p;
    this.#generator = new Generator(`dropout ${seed}`);
  }

  forward(x: Tensor, mode: Mode): Tensor {
    return mode === "eval" || this.p === 0 ? x : dropout(x, this.#noise(x), this.p);
  }

  /** Drawn by a host call, so that a compiled program draws at every run; it reads one value of x to be part of the program. */
  #noise(x: Tensor): Tensor {
    const { shape, dtype } = x;
    const draw = (): Tensor[] => [rand(shape, { generator: this.#generator, dtype })];
    return hostCall([slice(reshape(x, [-1]), 0, 0, 1)], draw, [{ shape, dtype }])[0]!;
  }
}
