// The Variables of a module: Parameter (trained) and Buffer (in the state dict, not trained).
import {
  cast,
  type Dtype,
  full,
  Generator,
  mul,
  OpError,
  rand,
  randn,
  type Shape,
  type Tensor,
  Variable,
  zeros,
} from "@orepa/tensor";

/** How a Parameter gets its first values: uniform in [-bound, bound), normal, one number, or given values. */
export type Init =
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "values"; readonly values: Tensor };

/**
 * A trained Variable, with the rule for its first values. A new one is filled from a stream that belongs to its shape, so a lone
 * layer works at once; `initialize(module, seed)` fills all of a module from streams that belong to their names.
 *
 * @example
 * const weight = new Parameter([8, 3], { kind: "uniform", bound: 1 / Math.sqrt(3) });
 */
export class Parameter extends Variable {
  readonly init: Init;
  /** Whether optimizers change it; false freezes it. */
  trainable: boolean;

  constructor(shape: Shape, init: Init, { trainable = true }: { readonly trainable?: boolean } = {}) {
    super(zeros(shape));
    this.init = init;
    this.trainable = trainable;
    this.initialize(`shape ${shape.join("x")}`);
  }

  /**
   * Gives it its first values, random ones from the stream named `stream`. Uniform ones are drawn when someone asks for them: models
   * are built to be looked at, or to take other weights, more often than to be trained.
   */
  initialize(stream: string): void {
    const { init, shape, dtype } = this;
    const draw = (): Tensor => initialValues(init, shape, dtype, stream);
    if (init.kind === "uniform") this.heldBy({ pull: draw });
    else this.assign(draw());
  }
}

/** A Variable that belongs to the state dict but is not trained: running statistics, constants. */
export class Buffer extends Variable {}

/**
 * The first values that `init` gives a tensor of `shape`; random ones come from the stream named `stream`.
 * @throws OpError if given values have another shape.
 */
export function initialValues(init: Init, shape: Shape, dtype: Dtype, stream: string): Tensor {
  switch (init.kind) {
    case "uniform":
      return rand(shape, { generator: new Generator(stream), low: -init.bound, high: init.bound, dtype });
    case "normal":
      return mul(randn(shape, { generator: new Generator(stream), dtype }), init.std);
    case "constant":
      return full(shape, init.value, { dtype });
    case "values":
      if (init.values.shape.join() !== shape.join())
        throw new OpError("Parameter", `initial values of shape [${shape}]`, `[${init.values.shape}]`);
      return cast(init.values, dtype);
    default:
      return init satisfies never;
  }
}
