// The main block of YOLO11: one half of the channels runs through a chain whose every stage is kept.

import type { Mode, Module } from "@orepa/autograd";
import { chunk, concat, type Tensor } from "@orepa/tensor";
import { Bottleneck } from "./bottleneck.ts";
import { C3k } from "./c3k.ts";
import { Conv } from "./conv.ts";
import { repeat } from "./sequence.ts";

/** Options of `C3k2`; `c3k` makes the stages C3k blocks of two bottlenecks instead of one bottleneck each. */
export interface C3k2Options {
  readonly repeats?: number;
  readonly c3k?: boolean;
  readonly expansion?: number;
  readonly groups?: number;
  readonly shortcut?: boolean;
  readonly fused?: boolean;
}

const bottlenecksOfC3k = 2;

/** `cv2([a, b, m0(b), m1(m0(b)), ...])` with `[a, b] = cv1(x)`: [N, in, H, W] -> [N, out, H, W]. */
export class C3k2 implements Module {
  readonly cv1: Conv;
  readonly cv2: Conv;
  readonly m: readonly Module[];

  constructor(inChannels: number, outChannels: number, options: C3k2Options = {}) {
    const { repeats = 1, c3k = false, expansion = 0.5, groups = 1, shortcut = true, fused = false } = options;
    const hidden = Math.floor(outChannels * expansion);
    const inner = { shortcut, groups, fused };
    this.cv1 = new Conv(inChannels, 2 * hidden, { fused });
    this.cv2 = new Conv((2 + repeats) * hidden, outChannels, { fused });
    this.m = repeat<Module>(repeats, () =>
      c3k ? new C3k(hidden, hidden, { ...inner, repeats: bottlenecksOfC3k }) : new Bottleneck(hidden, hidden, inner),
    );
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const stages = [...chunk(this.cv1.forward(x, mode), 2, 1)];
    for (const module of this.m) stages.push(module.forward(stages.at(-1)!, mode));
    return this.cv2.forward(concat(stages, 1), mode);
  }
}
