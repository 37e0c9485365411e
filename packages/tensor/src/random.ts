// Seeded random numbers: the same everywhere, drawn by counter, so that a stream never depends on another one's use.
import { allocate, type Dtype } from "./dtype.ts";
import { type Shape, sizeOf } from "./shape.ts";
import { fromData, type Tensor } from "./tensor.ts";

/** 32-bit FNV-1a of a text (Fowler, Noll, Vo): turns a name into a seed. */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/**
 * A seeded stream of random numbers (PCG-RXS-M-XS 32, O'Neill 2014). A text seed names a stream of its own:
 * `new Generator("seed 0, epoch 3, image 17")`.
 */
export class Generator {
  #state: number;
  #spare: number | undefined;

  constructor(seed: number | string) {
    this.#state = hashText(`${typeof seed} ${seed}`);
    this.#next();
  }

  #next(): number {
    this.#state = (Math.imul(this.#state, 747796405) + 2891336453) >>> 0;
    const s = this.#state;
    const word = Math.imul((s >>> ((s >>> 28) + 4)) ^ s, 277803737) >>> 0;
    return ((word >>> 22) ^ word) >>> 0;
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return ((this.#next() >>> 5) * 67108864 + (this.#next() >>> 6)) / 9007199254740992;
  }

  /** Standard normal (Box and Muller 1958). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** A whole number in 0..n-1. */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** 0..n-1 in random order (Fisher and Yates). */
  permutation(n: number): number[] {
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}

const draw = (shape: Shape, dtype: Dtype, next: () => number): Tensor => {
  const data = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = next();
  return fromData(data, shape, dtype);
};
interface RandomOptions {
  readonly generator: Generator;
  readonly dtype?: Dtype;
}

/** Uniform numbers in [low, high). */
export const rand = (
  shape: Shape,
  {
    generator,
    low = 0,
    high = 1,
    dtype = "float32",
  }: RandomOptions & { readonly low?: number; readonly high?: number },
): Tensor => draw(shape, dtype, () => low + (high - low) * generator.uniform());

/** Standard normal numbers. */
export const randn = (shape: Shape, { generator, dtype = "float32" }: RandomOptions): Tensor =>
  draw(shape, dtype, () => generator.normal());
