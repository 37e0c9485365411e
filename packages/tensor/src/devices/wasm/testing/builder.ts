// For tests: a builder that lays everything out by bumping an address and runs each step at once, by one or several
// machines in turn; and places of awkward strides to lower from and into.
import type { EquationOf } from "../../../bind.ts";
import { type ParamsOf, type Primitive, type PrimitiveName, primitives } from "../../../primitives/table.ts";
import { type Shape, sizeOf } from "../../../shape.ts";
import { type Concrete, contiguous, fromData, type Tensor } from "../../../tensor.ts";
import type { Builder, Lowering } from "../lower/builder.ts";
import {
  addressOf,
  expandPlace,
  flipPlace,
  mapFloats,
  mapPlace,
  type Place,
  permutePlace,
  rowMajorPlace,
  type Storage,
  slicePlace,
} from "../plan/place.ts";
import { Runtime } from "../runtime.ts";
import type { Machine } from "../steps/machine.ts";
import { runStep, type Step } from "../steps/table.ts";
import { eachTurn } from "../steps/walk.ts";

export const LAYOUTS = ["rowMajor", "reversed", "channelsLast", "sliced", "flipped"] as const;
/** How a tensor lies: axes row-major, in reverse order, NHWC, every second of wider axes, or backwards. */
export type Layout = (typeof LAYOUTS)[number];

/** Fills what no result may touch. */
const GUARD = 12345;

export class TestingBuilder implements Builder {
  readonly runtime: Runtime;
  readonly machines: readonly Machine[];
  readonly steps: Step[] = [];
  readonly #places = new Map<Tensor, Place>();

  constructor(threads: number, runtime = new Runtime({ bytes: 2 ** 26 })) {
    this.runtime = runtime;
    const { floats, integers, kernels } = this.runtime;
    this.machines = Array.from({ length: threads }, (_, thread) => {
      const own = { args: runtime.allocate(256), scratch: runtime.allocate(2 ** 16) };
      return { floats, integers, kernels, fused: {}, ...own, thread, threads };
    });
  }
  place(t: Tensor): Place {
    return this.#places.get(t)!;
  }
  result(t: Tensor): Place {
    return this.place(t);
  }
  define(t: Tensor, place: Place): void {
    this.#places.set(t, place);
  }
  map(t: Tensor): Place {
    const place = this.place(t);
    if (place.strides[1] === 1 || place.shape[1] === 1) return place;
    const map = this.newMap(place.shape);
    this.copy(map, place);
    return map;
  }
  newMap(shape: Shape): Place {
    const bytes = 4 * mapFloats(shape, shape[1]!, [0, 0]);
    return mapPlace(this.#storage(bytes), shape, shape[1]!, [0, 0]);
  }
  rowMajor(place: Place): Place {
    const packed = this.scratch(place.shape);
    this.copy(packed, place);
    return packed;
  }
  scratch(shape: Shape): Place {
    return rowMajorPlace(this.#storage(4 * sizeOf(shape)), shape);
  }
  #storage(bytes: number): Storage {
    const address = this.runtime.allocate(bytes / 4 + 4);
    this.runtime.floats.fill(GUARD, address / 4, address / 4 + bytes / 4 + 4);
    return { bytes, address, first: -1, last: -1, persistent: false };
  }
  isStill(): boolean {
    return false;
  }
  derived(_from: Place, _key: string, make: () => Place): Place {
    return make();
  }
  table(_key: string, make: () => readonly number[]): number {
    return this.runtime.table(make());
  }
  copy(target: Place, source: Place): void {
    this.write(target, this.read(source));
  }
  unite(name: "add" | "maximum" | "minimum", target: Place, sources: readonly Place[]): void {
    const rule = { add: (a: number, b: number) => a + b, maximum: Math.max, minimum: Math.min }[name];
    const values = sources.map((p) => this.read(p));
    this.write(
      target,
      values.reduce((a, b) => a.map((v, i) => rule(v, b[i]!))),
    );
  }
  fill(target: Place, value: number): void {
    this.write(target, new Float32Array(sizeOf(target.shape)).fill(value));
  }
  takeEpilogue(): undefined {
    return undefined;
  }
  use(): void {}
  hostCall(): number {
    return 0;
  }
  step(_: Parameters<Builder["step"]>[0], make: () => Step): void {
    const step = make();
    this.steps.push(step);
    for (const machine of step.serial ? this.machines.slice(0, 1) : this.machines)
      runStep(step, step.serial ? { ...machine, threads: 1 } : machine);
  }
  /** Memory for the shape, laid out so. */
  lay(shape: Shape, layout: Layout): Place {
    const axes = [...shape.keys()];
    const inOrder = (order: readonly number[]) =>
      permutePlace(
        this.scratch(order.map((axis) => shape[axis]!)),
        axes.map((axis) => order.indexOf(axis)),
      );
    switch (layout) {
      case "rowMajor":
        return this.scratch(shape);
      case "reversed":
        return inOrder([...axes].reverse());
      case "channelsLast":
        return shape.length < 3 ? this.scratch(shape) : inOrder([0, ...axes.slice(2), 1]);
      case "sliced": {
        const wide = this.scratch(shape.map((n) => 2 * n + 1));
        return axes.reduce((p, axis) => slicePlace(p, axis, 1, 2 * shape[axis]! + 1, 2), wide);
      }
      case "flipped":
        return flipPlace(this.scratch(shape), axes);
    }
  }
  write(place: Place, values: ArrayLike<number>): void {
    floatsOf(place).forEach((at, i) => {
      this.runtime.floats[at] = values[i]!;
    });
  }
  read(place: Place): Float32Array {
    return Float32Array.from(floatsOf(place), (at) => this.runtime.floats[at]!);
  }
  /** Whether what lies around the elements of the place is as it was. */
  guarded(place: Place): boolean {
    const { address, bytes } = place.storage;
    const beside = this.runtime.floats.slice(address / 4, (address + bytes) / 4 + 4);
    for (const at of floatsOf(place)) beside[at - address / 4] = GUARD;
    return beside.every((x) => x === GUARD);
  }
}
/** Float index of every element, row-major. */
function floatsOf(place: Place): Int32Array {
  const loops = place.shape.map((n, axis) => ({ n, strides: [place.strides[axis]!] }));
  const all = new Int32Array(sizeOf(place.shape));
  const first = addressOf(place) / 4;
  eachTurn(loops, [0, all.length], ([at = 0], i) => {
    all[i] = first + at;
  });
  return all;
}

/** The first element in which two lists of results differ, as text; nothing if none does. */
export function difference(got: readonly ArrayLike<number>[], want: readonly ArrayLike<number>[]): string {
  for (const [i, values] of want.entries())
    for (let k = 0; k < values.length; k++)
      if (got[i]![k] !== values[k] && !(Number.isNaN(got[i]![k]) && Number.isNaN(values[k])))
        return `result ${i}, element ${k}: ${got[i]![k]}, not ${values[k]}`;
  return "";
}

/** What a lowering should give, from the reference kernel. */
export function reference<N extends PrimitiveName>(
  name: N,
  inputs: readonly Concrete[],
  params: ParamsOf<N>,
): Concrete[] {
  const row = primitives[name] as unknown as Primitive<ParamsOf<N>>; // the row of this name
  const specs = row.infer(inputs, params);
  const allocate = (dtype: string, n: number) => (dtype === "int32" ? new Int32Array(n) : new Float32Array(n));
  return row.evaluate(inputs, params, specs, allocate) as Concrete[];
}

let runtime: Runtime | undefined;
/** Lowers one equation with inputs and results laid out so, by 1 and by 2 threads, and gives the results, which must agree. */
export function runLowered<N extends PrimitiveName>(
  lowering: Lowering<N>,
  name: N,
  inputs: readonly Concrete[],
  params: ParamsOf<N>,
  layouts: {
    readonly inputs?: Layout;
    readonly outputs?: Layout;
    readonly views?: readonly (Shape | undefined)[];
  } = {},
): Float32Array[] {
  const outputs = reference(name, inputs, params);
  runtime ??= new Runtime({ bytes: 2 ** 26 });
  const [one, two] = [1, 2].map((threads) => {
    runtime!.reset();
    const builder = new TestingBuilder(threads, runtime);
    for (const [i, t] of inputs.entries()) {
      const narrow = layouts.views?.[i];
      const place = builder.lay(narrow ?? t.shape, layouts.inputs ?? "rowMajor");
      const whole = expandPlace(place, t.shape);
      builder.write(whole, contiguous(t));
      builder.define(t, whole);
    }
    for (const t of outputs) builder.define(t, builder.lay(t.shape, layouts.outputs ?? "rowMajor"));
    lowering({ name, inputs, params, outputs } as EquationOf<N>, builder);
    for (const t of outputs) if (!builder.guarded(builder.place(t))) throw new Error("wrote beside its result");
    return outputs.map((t) => builder.read(builder.place(t)));
  });
  for (const [i, values] of one!.entries())
    if (values.some((x, k) => !Object.is(x, two![i]![k]))) throw new Error("results depend on the number of threads");
  return one!;
}

/** A float32 tensor of values from a fixed stream of numbers in [-1, 1). */
export function numbers(shape: Shape, map: (x: number, i: number) => number = (x) => x): Concrete {
  let state = 12345;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return fromData(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => map(next(), i)),
    shape,
  );
}
