// Seeded random numbers: the same everywhere, drawn by counter, so that a stream never depends on another one's use.
import { allocate, type Dtype, type TypedArray } from "./dtype.ts";
import { type Shape, sizeOf } from "./shape.ts";
import { fromData, type Tensor } from "./tensor.ts";

/** 32-bit FNV-1a of a text (Fowler, Noll, Vo): turns a name into a seed. */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

const advance = (state: number): number => (Math.imul(state, MULTIPLIER) + INCREMENT) | 0;
/** 32 bits of a state. */
function output(s: number): number {
  const word = Math.imul((s >>> ((s >>> 28) + 4)) ^ s, 277803737);
  return ((word >>> 22) ^ word) >>> 0;
}
/** 53 bits of two words as a number in [0, 1). */
const fraction = (first: number, second: number): number =>
  ((first >>> 5) * 67108864 + (second >>> 6)) / 9007199254740992;

const [MULTIPLIER, INCREMENT] = [747796405, 2891336453];
const WORDS_PER_UNIFORM = 2;

/**
 * A seeded stream of random numbers (PCG-RXS-M-XS 32, O'Neill 2014). A text seed names a stream of its own:
 * `new Generator("seed 0, epoch 3, image 17")`.
 */
export class Generator {
  /** Kept signed: engines hold no other 32 bits without an allocation. */
  #state: number;
  #spare: number | undefined;

  constructor(seed: number | string) {
    this.#state = hashText(`${typeof seed} ${seed}`) | 0;
    this.#next();
  }

  #next(): number {
    this.#state = advance(this.#state);
    return output(this.#state);
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return fraction(this.#next(), this.#next());
  }

  /** Fills an array with uniform numbers in [low, high). */
  fillUniform(data: TypedArray, low: number, high: number): void {
    const range = high - low;
    // Models have millions of values: the state stays in a register.
    let state = this.#state;
    for (let i = 0; i < data.length; i++) {
      const first = advance(state);
      state = advance(first);
      data[i] = low + range * fraction(output(first), output(state));
    }
    this.#state = state;
  }

  /** Leaves out so many uniform numbers, in a time that hardly depends on how many (Brown 1994); a pair of normal ones is two. */
  skip(count: number): void {
    // A step is s -> a s + b; steps of 1, 2, 4, ... are put together.
    let [a, b] = [MULTIPLIER, INCREMENT];
    for (let rest = WORDS_PER_UNIFORM * count; rest > 0; rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1) this.#state = (Math.imul(this.#state, a) + b) | 0;
      b = (Math.imul(a, b) + b) >>> 0;
      a = Math.imul(a, a) >>> 0;
    }
    this.#spare = undefined;
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
): Tensor => {
  const data = allocate(dtype, sizeOf(shape));
  generator.fillUniform(data, low, high);
  return fromData(data, shape, dtype);
};

/** Standard normal numbers. */
export const randn = (shape: Shape, { generator, dtype = "float32" }: RandomOptions): Tensor => {
  const data = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = generator.normal();
  return fromData(data, shape, dtype);
};
