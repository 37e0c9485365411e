// once: a value that several parts of one pass need, made once, so that its gradient is computed once too.
import { currentObserver, type Tensor } from "@orepa/tensor";

interface Made {
  readonly from: readonly Tensor[];
  readonly value: Tensor;
}

/**
 * Remembers what was made of which tensors, for as long as one observer watches: a gradient's tape or a trace. Outside of those, and
 * on another tape (which has not seen the equations), it is made anew.
 */
export class Once {
  readonly #made = new WeakMap<object, Made>();

  /** What `make` gives; of an earlier call if that was on this tape and from the same tensors. */
  get(from: readonly Tensor[], make: () => Tensor): Tensor {
    const tape = currentObserver();
    if (!tape) return make();
    const before = this.#made.get(tape);
    if (before && before.from.length === from.length && before.from.every((t, i) => t === from[i])) return before.value;
    const value = make();
    this.#made.set(tape, { from, value });
    return value;
  }
}
