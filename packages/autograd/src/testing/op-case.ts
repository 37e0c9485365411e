// What a case of a primitive is, and the drawing of its inputs.
import { fromData, Generator, type ParamsOf, type PrimitiveName, type Shape, sizeOf, type Tensor } from "@orepa/tensor";
import { drawFixture } from "./fixtures.ts";

/** Inputs that a primitive takes. Float inputs are float64 with values that float32 holds exactly. */
export interface OpSample<P> {
  /** What is special about it. */
  readonly about: string;
  readonly inputs: readonly Tensor[];
  readonly params: P;
  /** Shapes of the outputs. */
  readonly shapes: readonly Shape[];
  /** Inputs whose gradient is checked: away from kinks and ties, and by steps of 1e-5. */
  readonly gradients: readonly number[];
}

/** Inputs that a primitive refuses, and the fields of its `OpError`. */
export interface OpMistake<P> {
  readonly about: string;
  readonly inputs: readonly Tensor[];
  readonly params: P;
  readonly error: { readonly expected: string; readonly got: string };
}

export type OpCase<N extends PrimitiveName> = OpSample<ParamsOf<N>> | OpMistake<ParamsOf<N>>;
/** Tells the two apart. */
export const isSample = <P>(c: OpSample<P> | OpMistake<P>): c is OpSample<P> => "shapes" in c;

/** The parameters of a primitive without any. */
export const none = {};

/** Values uniform in [low, high), the same for the same key. */
export const draw = (key: string, shape: Shape, low = -1, high = 1): Tensor =>
  fromData(Float64Array.from(drawFixture(key, shape, low, high)), shape);
/** Different values in random order, 1/8 apart and none of them 0: no ties, no kinks. */
export const spread = (key: string, shape: Shape): Tensor => {
  const n = sizeOf(shape);
  const order = new Generator(key).permutation(n);
  return fromData(
    Float64Array.from(order, (i) => (i - n / 2 + 0.25) / 8),
    shape,
  );
};
/** Any cases of any primitives; the whole table must have all. */
export type SomeOpCases = { readonly [N in PrimitiveName]?: readonly OpCase<N>[] };

export const floats = (values: readonly number[], shape: Shape = [values.length]): Tensor =>
  fromData(Float64Array.from(values), shape);
export const integers = (values: readonly number[], shape: Shape = [values.length]): Tensor =>
  fromData(Int32Array.from(values), shape);
export const bools = (values: readonly number[], shape: Shape = [values.length]): Tensor =>
  fromData(Uint8Array.from(values), shape);
export const singles = (values: readonly number[]): Tensor => fromData(Float32Array.from(values), [values.length]);

/** Far out on both sides. */
export const extremes = [-100, -20, -0.5, 0.25, 20, 100];

export const a = (shape: Shape) => draw("a", shape);
export const b = (shape: Shape) => draw("b", shape);
/** Different values, see `spread`. */
export const apart = (shape: Shape) => spread("apart", shape);
/** Positions in a plane of H x W, one per window: any of them, windows may share one. */
export const places = (key: string, shape: Shape, plane: number): Tensor => {
  const generator = new Generator(key);
  return integers(
    Array.from({ length: sizeOf(shape) }, () => generator.integer(plane)),
    shape,
  );
};
export const notFloat = { expected: "float32 or float64", got: "int32" };
