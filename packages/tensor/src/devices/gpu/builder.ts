// What lowering writes into: where values lie, and the launches that make them. One kernel writes one buffer and reads at
// most seven.
import type { EquationOf } from "../../bind.ts";
import { OpError } from "../../errors.ts";
import { uniform } from "../../passes/program.ts";
import type { HostCall } from "../../primitives/host-call.ts";
import type { PrimitiveName } from "../../primitives/table.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import { type Concrete, contiguous, type Tensor, type TensorSpec } from "../../tensor.ts";
import { collapse, freshPlace, type Place, type Root, wholeOf } from "./place.ts";
import { element, index, kernelText, threads } from "./text.ts";

/** WebGPU binds eight buffers to a kernel, and one is the output. */
export const MAX_ARRAYS = 7;

/** One run of a kernel. */
export interface Launch {
  readonly kind: "launch";
  /** The primitive it is for, or "group" for fused pointwise ones. */
  readonly name: string;
  readonly text: string;
  /** Cells along x, y, z. */
  readonly output: readonly number[];
  readonly reads: readonly Root[];
  readonly writes: readonly Root[];
}
/** One run of a kernel in WGSL. */
export interface TunedLaunch {
  readonly kind: "tuned";
  readonly name: string;
  /** Reads arrays a0, a1, ... and writes y0, y1, ..., bound in this order. */
  readonly text: string;
  /** Groups of threads along x, y, z. */
  readonly groups: readonly [number, number, number];
  readonly reads: readonly Root[];
  readonly writes: readonly Root[];
}
/** A function of the host on values read back. */
export interface HostStep {
  readonly kind: "host";
  readonly name: "hostCall";
  readonly params: HostCall;
  readonly inputs: readonly Transfer[];
  readonly reads: readonly Root[];
  readonly writes: readonly Root[];
}
/** A value on its way between host and device. */
export interface Transfer {
  readonly spec: TensorSpec;
  readonly place: Place;
}
export type Step = Launch | TunedLaunch | HostStep;

/** How a primitive becomes launches, or only places. */
export interface Lowering<N extends PrimitiveName> {
  lower(equation: EquationOf<N>, builder: Builder): void;
}

export class Builder {
  readonly steps: Step[] = [];
  readonly constants = new Map<Root, Float32Array>();
  readonly #places = new Map<Tensor, Place>();

  /** Where a value lies; constants get a buffer at their first use. */
  place(t: Tensor): Place {
    const known = this.#places.get(t);
    if (known) return known;
    if (!t.view) throw new OpError("gpu", "a value that has been computed", "one without a place");
    const number = uniform(t);
    // A number that repeats takes one element.
    const place: Place =
      number === undefined ? freshPlace(t.shape) : { ...freshPlace([]), shape: t.shape, stride: t.shape.map(() => 0) };
    const data = number === undefined ? Float32Array.from(contiguous(t as Concrete)) : Float32Array.of(number);
    this.constants.set(place.root, data.length ? data : new Float32Array(1));
    this.define(t, place);
    return place;
  }
  define(t: Tensor, place: Place): void {
    this.#places.set(t, place);
  }
  /** A buffer for a result. Empty ones hold nothing and are never launched. */
  result(t: Tensor): Place {
    const place = freshPlace(t.shape);
    this.define(t, place);
    return place;
  }
  /** One thread per cell of `dims`, whose product is the size of the result. */
  launch(name: string, result: Place, dims: readonly number[], sources: Sources, body: Body): void {
    if (sizeOf(result.shape) === 0) {
      this.constants.set(result.root, new Float32Array(1));
      return;
    }
    const { roots } = sources;
    if (roots.length > MAX_ARRAYS)
      throw new OpError(`gpu ${name}`, `at most ${MAX_ARRAYS} arrays`, String(roots.length));
    const { output, lines, at } = threads(dims);
    const text = kernelText(roots.length, [...lines, ...body(at)]);
    this.steps.push({ kind: "launch", name, text, output, reads: roots, writes: [result.root] });
  }
  tuned(launch: Omit<TunedLaunch, "kind">): void {
    this.steps.push({ kind: "tuned", ...launch });
  }
  host(step: Omit<HostStep, "kind" | "name">): void {
    this.steps.push({ kind: "host", name: "hostCall", ...step });
  }
  /** The same values row-major in a buffer of their own. */
  copy(place: Place, name = "copy"): Place {
    const result = freshPlace(place.shape);
    const loops = collapse(place.shape, [place.stride, result.stride]);
    const from = sources([place]);
    this.launch(name, result, loops.dims, from, (at) => [
      `return ${from.names[0]}[${index(place.offset, loops.strides[0]!, at)}];`,
    ]);
    return result;
  }
  /** A place that is row-major from its offset on. */
  packed(place: Place): Place {
    const { stride } = wholeOf(place.root, place.shape);
    return place.shape.every((n, i) => n === 1 || place.stride[i] === stride[i]) ? place : this.copy(place);
  }
}

/** The lines of a kernel behind the thread's coordinates. */
type Body = (at: readonly string[]) => readonly string[];

/** The buffers that places lie in, and for each place the name of its array. */
export interface Sources {
  readonly roots: readonly Root[];
  readonly names: readonly string[];
  /** Text of an element of a place. */
  read(place: number, at: readonly string[]): string;
}
export function sources(places: readonly Place[]): Sources {
  const roots = [...new Set(places.map(({ root }) => root))];
  const names = places.map(({ root }) => `a${roots.indexOf(root)}`);
  return { roots, names, read: (i, at) => element(names[i]!, places[i]!, at) };
}

/** Coordinates as a kernel of four axes has them. */
export type At4 = readonly [string, string, string, string];
export type Shape4 = readonly [number, number, number, number];
export const shape4 = (shape: Shape): Shape4 => shape as unknown as Shape4; // the primitive's rule has made sure
