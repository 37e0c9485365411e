// gradcheck: analytic derivatives against central differences along random directions, in float64, order 1 and 2.
import {
  abs,
  add,
  fromData,
  Generator,
  mul,
  OpError,
  rand,
  type Shape,
  sum,
  type Tensor,
  Variable,
  zerosLike,
} from "@orepa/tensor";
import { customVjp } from "./custom-vjp.ts";
import { grad } from "./grad.ts";

/** Settings of {@link gradcheck}. */
export interface GradcheckOptions {
  /** 1 checks the gradient, 2 the gradient of a random projection of the gradient. */
  readonly order?: 1 | 2;
  /** Step of the central difference; its error is eps^2 / 6 times the third derivative. */
  readonly eps?: number;
  /** Seed of the directions and of the weighting of a value that is not a scalar. */
  readonly seed?: number;
  /** Largest deviation, relative to the sum of the absolute terms of the derivative. */
  readonly tolerance?: number;
  /** Number of random directions. */
  readonly directions?: number;
}

/** The element whose derivative is furthest off. */
export interface WorstElement {
  /** Position in the input, one index per axis. */
  readonly index: readonly number[];
  readonly analytic: number;
  readonly numeric: number;
}

/** Analytic and numeric derivative disagree; the message names the input, the element, the direction and the seed. */
export class GradcheckError extends Error {
  override readonly name = "GradcheckError";
  readonly order: number;
  readonly seed: number;
  /** Derivatives along `direction`. */
  readonly analytic: number;
  readonly numeric: number;
  readonly deviation: number;
  readonly tolerance: number;
  /** One tensor per input; only the failing input's is not zero if a single input fails by itself. */
  readonly direction: readonly Tensor[];
  /** Position of the failing input among `inputs`. */
  readonly input: number;
  readonly worst: WorstElement;

  constructor(fields: Omit<GradcheckError, "name" | "message" | "stack" | "cause">) {
    const { order, seed, analytic, numeric, deviation, tolerance, direction, input, worst } = fields;
    super(
      [
        `gradcheck: derivatives of order ${order} disagree: analytic ${analytic}, numeric ${numeric}`,
        `  relative deviation ${deviation.toExponential(1)}, tolerance ${tolerance}, seed ${seed}`,
        `  input ${input}, worst element [${worst.index.join(", ")}]: analytic ${worst.analytic}, numeric ${worst.numeric}`,
        `  direction ${direction.map(String).join("\n            ")}`,
      ].join("\n"),
    );
    this.order = order;
    this.seed = seed;
    this.analytic = analytic;
    this.numeric = numeric;
    this.deviation = deviation;
    this.tolerance = tolerance;
    this.direction = direction;
    this.input = input;
    this.worst = worst;
  }
}

/**
 * Rounding of a difference of two values of size f, in units of 2^-52 f: an allowance for sums of some thousand terms. Values below
 * 1 count as 1, for what they are made of may be larger than they are.
 */
const roundingUnits = 64;

/**
 * Checks the gradient of `fn` against central differences along random directions.
 *
 * `inputs` are tensors and Variables; `fn` gets their values in order and may as well read the Variables itself, which hold the
 * moved values while it runs and their own afterwards. Float inputs must be float64; int32 and bool inputs are passed on and not
 * differentiated. A value that is not a scalar is reduced by random weights of y and y^2, so that order 2 meets also the
 * rules of linear ops twice.
 *
 * @returns the largest relative deviation seen.
 * @throws GradcheckError if it exceeds `tolerance`.
 * @example
 * gradcheck((x) => exp(x), [tensor([0.5, 1, 2], { dtype: "float64" })], { order: 2 }) < 1e-6; // -> true
 */
export function gradcheck(
  fn: (...x: Tensor[]) => Tensor,
  inputs: readonly (Tensor | Variable)[],
  { order = 1, eps = 1e-5, seed = 0, tolerance = 1e-6, directions = 2 }: GradcheckOptions = {},
): number {
  const generator = new Generator(seed);
  const noise = (like: Tensor): Tensor => rand(like.shape, { generator, low: -1, high: 1, dtype: "float64" });
  const home = inputs.map((x) => (x instanceof Variable ? x.value : x));
  const moving = [...home.keys()].filter((i) => moves(home[i]!, i));
  if (moving.length === 0) throw new OpError("gradcheck", "a float64 input", "none");
  // Own identities, so that a tensor given twice has two gradients.
  const at = moving.map((i) => fromData(home[i]!.toTypedArray(), home[i]!.shape));

  const set = (values: readonly Tensor[]): void => {
    for (const [i, x] of inputs.entries()) if (x instanceof Variable) x.assign(values[i]!);
  };
  const weights = new Map<string, readonly [Tensor, Tensor]>();
  const value = (...moved: Tensor[]): Tensor => {
    const values = home.map((x, i) => moved[moving.indexOf(i)] ?? x);
    set(values);
    const y = fn(...values);
    if (y.rank === 0) return y;
    const key = y.shape.join();
    const [linear, quadratic] = weights.get(key) ?? [noise(y), noise(y)];
    weights.set(key, [linear, quadratic]);
    return weigh(y, linear, quadratic);
  };
  const projection = at.map(noise);
  const scalar: Scalar = order === 1 ? value : (...x) => dot(gradients(value, x), projection);
  try {
    let largest = 0;
    for (let i = 0; i < directions; i++) {
      const direction = at.map(noise);
      const found = compare(scalar, at, direction, { eps, tolerance });
      if (!(found.deviation <= tolerance)) {
        const input = failingInput(scalar, at, direction, { eps, tolerance });
        const alone = direction.map((d, j) => (j === input ? d : zerosLike(d)));
        const inAll = home.map((x, j) => alone[moving.indexOf(j)] ?? zerosLike(x));
        const worst = worstElement(scalar, at, input, { eps, tolerance });
        const by = compare(scalar, at, alone, { eps, tolerance });
        const shown = by.deviation <= tolerance ? found : by;
        throw new GradcheckError({ order, seed, tolerance, ...shown, direction: inAll, input: moving[input]!, worst });
      }
      largest = Math.max(largest, found.deviation);
    }
    return largest;
  } finally {
    set(home);
  }
}

/**
 * Sum of a y + b y^2. Its gradient a + 2 b y is written out, for a check that went by the rules of sum, mul and add would pass a
 * sum with a wrong sign twice.
 */
const weigh = customVjp(
  (y: Tensor, a: Tensor, b: Tensor) => sum(mul(y, add(a, mul(b, y)))),
  ({ inputs: [y, a, b], cotangents: [ct] }) => [mul(ct!, add(a, mul(2, mul(b, y)))), null, null],
);

type Scalar = (...x: Tensor[]) => Tensor;
interface Step {
  readonly eps: number;
  readonly tolerance: number;
}
interface Comparison {
  readonly analytic: number;
  readonly numeric: number;
  readonly deviation: number;
}

const gradients = (fn: Scalar, x: readonly Tensor[]): Tensor[] => {
  const found = grad(() => fn(...x), x);
  return x.map((t) => found.get(t)!);
};

const dot = (a: readonly Tensor[], b: readonly Tensor[]): Tensor =>
  a.map((x, i) => sum(mul(x, b[i]!))).reduce((total, term) => add(total, term));

/** Directional derivatives of `fn` at `x`: by the rules and by (f(x + eps d) - f(x - eps d)) / 2 eps. */
function compare(fn: Scalar, x: readonly Tensor[], direction: readonly Tensor[], { eps, tolerance }: Step): Comparison {
  const moved = (h: number): number => fn(...x.map((t, i) => add(t, mul(direction[i]!, h)))).item();
  const [above, below] = [moved(eps), moved(-eps)];
  const numeric = (above - below) / (2 * eps);
  const terms = gradients(fn, x).map((g, i) => mul(g, direction[i]!));
  const analytic = terms.reduce((total, t) => total + sum(t).item(), 0);
  const scale = Math.max(
    terms.reduce((total, t) => total + sum(abs(t)).item(), 0),
    Math.abs(numeric),
  );
  const rounding = (roundingUnits * Number.EPSILON * Math.max(1, Math.abs(above), Math.abs(below))) / eps;
  const excess = Math.abs(analytic - numeric) - rounding;
  // Infinite or NaN derivatives never agree; below the rounding everything does.
  const deviation = excess <= 0 ? 0 : excess / Math.max(scale, rounding / tolerance);
  return { analytic, numeric, deviation };
}

/** The input with the largest deviation when it moves alone. */
function failingInput(fn: Scalar, x: readonly Tensor[], direction: readonly Tensor[], step: Step): number {
  const deviations = x.map((_, i) => {
    const alone = direction.map((d, j) => (j === i ? d : zerosLike(d)));
    const { deviation } = compare(fn, x, alone, step);
    return Number.isNaN(deviation) ? Number.POSITIVE_INFINITY : deviation;
  });
  return deviations.indexOf(Math.max(...deviations));
}

/** Elements tried at most when a failure is explained. */
const explainedElements = 512;

/** Moves the elements of one input one by one. */
function worstElement(fn: Scalar, x: readonly Tensor[], input: number, step: Step): WorstElement {
  const { shape, size } = x[input]!;
  let worst: WorstElement & { readonly deviation: number } = { index: [], analytic: 0, numeric: 0, deviation: -1 };
  for (let i = 0; i < Math.min(size, explainedElements); i++) {
    const data = new Float64Array(size);
    data[i] = 1;
    const unit = x.map((t, j) => (j === input ? fromData(data, shape) : zerosLike(t)));
    const { analytic, numeric, deviation } = compare(fn, x, unit, step);
    if (!(deviation <= worst.deviation)) worst = { index: position(i, shape), analytic, numeric, deviation };
    if (Number.isNaN(deviation)) break;
  }
  return { index: worst.index, analytic: worst.analytic, numeric: worst.numeric };
}

function position(flat: number, shape: Shape): number[] {
  const index: number[] = [];
  for (let i = shape.length - 1, rest = flat; i >= 0; i--) {
    index.unshift(rest % shape[i]!);
    rest = Math.floor(rest / shape[i]!);
  }
  return index;
}

/** Whether an input is differentiated. @throws OpError for a float32 input, whose differences would be noise. */
function moves({ dtype }: Tensor, i: number): boolean {
  if (dtype === "float32")
    throw new OpError("gradcheck", "float64 inputs", `input ${i} of float32`, "cast it, or module.to float64");
  return dtype === "float64";
}
