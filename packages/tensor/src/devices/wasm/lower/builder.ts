// What lowering an equation may do: ask where tensors lie, say where results go, and append steps.
import type { Equation, EquationOf } from "../../../bind.ts";
import type { Pair } from "../../../primitives/conv/geometry.ts";
import type { PrimitiveName } from "../../../primitives/table.ts";
import type { Shape } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Epilogue } from "../plan/epilogues.ts";
import type { Place, Storage } from "../plan/place.ts";
import type { Step } from "../steps/table.ts";
import type { HostPlan } from "./host.ts";

export interface Builder {
  /** Where a tensor that exists lies, whatever its strides. */
  place(t: Tensor): Place;
  /** Makes room for an output of the equation: NHWC if its readers wish so, inside a concat's storage, or row-major. */
  result(t: Tensor): Place;
  /** Says that a tensor's elements are these: no copy. */
  define(t: Tensor, place: Place): void;
  /** The tensor as a map [N, C, H, W] that lies NHWC (channel stride 1) with at least this border of zeros. */
  map(t: Tensor, border?: Pair): Place;
  /** Memory for a map [N, C, H, W] that lies NHWC, of any content. */
  newMap(shape: Shape): Place;
  /** The elements row-major without gaps; copied if they lie otherwise. */
  rowMajor(place: Place): Place;
  /** Row-major memory for the plan's own use, any content. */
  scratch(shape: Shape): Place;
  /** What `make` derives from a place: made once for equal keys, and before all runs if the place is constant. */
  derived(from: Place, key: string, make: () => Place): Place;
  /** Whether a place holds the same for all runs until a Variable changes. */
  isStill(place: Place): boolean;
  /** Byte address of a table of integers that lives as long as the program; made once for equal keys. */
  table(key: string, make: () => readonly number[]): number;
  /** What may be done to the result of a convolution before it is stored; who takes it must do it. */
  takeEpilogue(e: Equation): Epilogue | undefined;
  /** Appends a copy of all elements of `source` to `target`, of the same shape. */
  copy(target: Place, source: Place): void;
  /** Sets all elements to a value. */
  fill(target: Place, value: number): void;
  /** target = the sources, all of its shape, united element by element. */
  unite(name: "add" | "maximum" | "minimum", target: Place, sources: readonly Place[]): void;
  /** Keeps a place alive to here. */
  use(place: Place): void;
  /** The number of a host call, described when all addresses are known. */
  hostCall(describe: () => HostPlan): number;
  /**
   * Appends a step. `make` is called when all addresses are known and gives plain data, the same for every thread. Every
   * storage that the step reads or writes must be named: life times and barriers follow from that.
   */
  step(touched: { readonly reads: readonly Storage[]; readonly writes: readonly Storage[] }, make: () => Step): void;
}

/** How a primitive becomes steps. */
export type Lowering<N extends PrimitiveName> = (equation: EquationOf<N>, builder: Builder) => void;
