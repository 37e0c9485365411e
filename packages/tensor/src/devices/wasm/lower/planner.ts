// The planner: keeps where every tensor lies while equations are lowered one by one, and collects their steps.
import type { Equation, EquationOf } from "../../../bind.ts";
import { OpError } from "../../../errors.ts";
import type { Group } from "../../../passes/fuse.ts";
import type { Pair } from "../../../primitives/conv/geometry.ts";
import { type Shape, showShape, sizeOf } from "../../../shape.ts";
import { type Concrete, contiguous, fromView, type Tensor } from "../../../tensor.ts";
import type { Borders } from "../plan/borders.ts";
import type { Epilogue } from "../plan/epilogues.ts";
import type { Layouts } from "../plan/layout.ts";
import type { Membership } from "../plan/members.ts";
import {
  addressOf,
  expandPlace,
  isRowMajor,
  mapFloats,
  mapPlace,
  type Place,
  permutePlace,
  reshapePlace,
  rowMajorPlace,
  type Storage,
  slicePlace,
  storageBytes,
} from "../plan/place.ts";
import type { FusedKernels } from "../pointwise/library.ts";
import type { Step } from "../steps/table.ts";
import type { Builder } from "./builder.ts";
import { copySteps, fillSteps, uniteSteps } from "./group.ts";
import type { HostPlan } from "./host.ts";

/** Memory that outlives a run. */
export interface Persistent {
  allocate(bytes: number): number;
}
/** A step before addresses are known. */
export interface Draft {
  readonly reads: readonly Storage[];
  readonly writes: readonly Storage[];
  readonly make: () => Step;
}
/** A constant to be written once, when the program is loaded. */
export interface Constant {
  readonly address: number;
  readonly values: Float32Array | Int32Array;
}

export class Planner implements Builder {
  readonly drafts: Draft[] = [];
  readonly storages: Storage[] = [];
  readonly constants: Constant[] = [];
  readonly kernels: FusedKernels;
  /** Steps that run only after a Variable has changed. */
  readonly prologue: Draft[] = [];
  readonly hosts: (() => HostPlan)[] = [];
  /** Groups that a convolution has done. */
  readonly done = new Set<Group>();
  #epilogues: ReadonlyMap<Equation, Epilogue> = new Map();
  /** Whether a storage holds the same for all runs until a Variable changes. */
  readonly #isStill: (storage: Storage) => boolean;
  /** While hoisted work is lowered, everything it makes outlives the run. */
  #hoisting = false;
  readonly #places = new Map<Tensor, Place>();
  readonly #derived = new Map<Storage, Map<string, Place>>();
  readonly #tables = new Map<string, number>();
  readonly #layout: Layouts;
  readonly #borders: Borders;
  readonly #memberOf: ReadonlyMap<Tensor, Membership>;
  readonly #turned: ReadonlyMap<Tensor, EquationOf<"permute">>;
  readonly #persistent: Persistent;

  constructor(parts: {
    readonly kernels: FusedKernels;
    readonly layout: Layouts;
    readonly borders: Borders;
    readonly memberOf: ReadonlyMap<Tensor, Membership>;
    readonly turned: ReadonlyMap<Tensor, EquationOf<"permute">>;
    readonly persistent: Persistent;
    readonly isStill: (storage: Storage) => boolean;
  }) {
    this.kernels = parts.kernels;
    this.#layout = parts.layout;
    this.#borders = parts.borders;
    this.#memberOf = parts.memberOf;
    this.#turned = parts.turned;
    this.#persistent = parts.persistent;
    this.#isStill = parts.isStill;
  }

  offerEpilogues(epilogues: ReadonlyMap<Equation, Epilogue>): void {
    this.#epilogues = epilogues;
  }
  takeEpilogue(e: Equation): Epilogue | undefined {
    const epilogue = this.#epilogues.get(e);
    if (epilogue) this.done.add(epilogue.group);
    return epilogue;
  }
  /** Lowers what runs only after a Variable has changed. */
  hoist<T>(lower: () => T): T {
    const before = this.#hoisting;
    this.#hoisting = true;
    try {
      return lower();
    } finally {
      this.#hoisting = before;
    }
  }

  has(t: Tensor): boolean {
    return this.#places.has(t);
  }
  define(t: Tensor, place: Place): void {
    this.#places.set(t, place);
  }
  place(t: Tensor): Place {
    const known = this.#places.get(t);
    if (known) return known;
    if (t.view) return this.#constant(t as Concrete);
    const member = this.#memberOf.get(t);
    if (member && this.has(member.whole)) return this.result(t);
    throw new OpError("wasm", "a value made before it is used", `one of shape ${showShape(t.shape)} that is not`);
  }
  result(t: Tensor): Place {
    const known = this.#places.get(t);
    if (known) return known;
    const member = this.#memberOf.get(t);
    const place = member ? this.#slice(t, member) : this.#fresh(t);
    this.#places.set(t, place);
    return place;
  }
  #slice(t: Tensor, { whole, axis, start }: Membership): Place {
    return slicePlace(this.result(whole), axis, start, start + t.shape[axis]!);
  }
  #fresh(t: Tensor): Place {
    const turn = this.#turned.get(t);
    if (turn) return this.#before(turn, t.shape);
    if (this.#layout.of(t) === "rowMajor") return this.scratch(t.shape);
    if (t.rank === 4) return this.newMap(t.shape, this.#borders.of(t));
    const [n, c, length] = t.shape as [number, number, number];
    return permutePlace(this.scratch([n, length, c]), [0, 2, 1]);
  }
  /** A place that the permutation makes row-major, as it lies before it. */
  #before({ inputs, params: { order }, outputs }: EquationOf<"permute">, shape: Shape): Place {
    const back = inputs[0]!.shape.map((_, axis) => order.indexOf(axis));
    const place = permutePlace(this.scratch(outputs[0]!.shape), back);
    return reshapePlace(place, shape) ?? this.scratch(shape);
  }
  newMap(shape: Shape, border: Pair = [0, 0]): Place {
    const channels = shape[1]!;
    const storage = this.#storage(mapFloats(shape, channels, border));
    const place = mapPlace(storage, shape, channels, border);
    if (border[0] || border[1])
      this.step({ reads: [], writes: [storage] }, () => ({
        op: "border",
        at: storage.address,
        images: shape[0]!,
        rows: shape[2]!,
        columns: shape[3]!,
        border,
        channels,
      }));
    return place;
  }
  map(t: Tensor, border: Pair = [0, 0]): Place {
    const place = this.place(t);
    const fits = place.border[0] >= border[0] && place.border[1] >= border[1];
    if ((place.strides[1] === 1 || place.shape[1] === 1) && fits) return place;
    return this.derived(place, `map ${border}`, () => {
      const map = this.newMap(place.shape, border);
      this.copy(map, place);
      return map;
    });
  }
  derived(from: Place, key: string, make: () => Place): Place {
    const whole = [from.shape.join(), from.strides.join(), from.offset, key].join(" ");
    const known = this.#derived.get(from.storage) ?? new Map<string, Place>();
    this.#derived.set(from.storage, known);
    const place = known.get(whole) ?? (this.isStill(from) ? this.hoist(make) : make());
    known.set(whole, place);
    return place;
  }
  isStill({ storage }: Place): boolean {
    return this.#isStill(storage);
  }
  rowMajor(place: Place): Place {
    if (isRowMajor(place)) return place;
    const packed = this.scratch(place.shape);
    this.copy(packed, place);
    return packed;
  }
  scratch(shape: Shape): Place {
    return rowMajorPlace(this.#storage(sizeOf(shape)), shape);
  }
  /** A place with an address of its own for as long as the program lives. */
  kept(shape: Shape, address = this.#persistent.allocate(storageBytes(sizeOf(shape)))): Place {
    return rowMajorPlace({ bytes: storageBytes(sizeOf(shape)), address, first: -1, last: -1, persistent: true }, shape);
  }
  #storage(floats: number): Storage {
    if (this.#hoisting) return this.kept([floats]).storage;
    const storage = { bytes: storageBytes(floats), address: 0, first: -1, last: -1, persistent: false };
    this.storages.push(storage);
    return storage;
  }
  #constant(t: Concrete): Place {
    // Values that repeat along an axis are kept once.
    const { stride, offset } = t.view;
    const once = fromView(
      t,
      t.shape.map((n, axis) => (stride[axis] === 0 ? 1 : n)),
      stride,
      offset,
    );
    const values = Float32Array.from(contiguous(once));
    const kept = this.kept(once.shape);
    this.constants.push({ address: addressOf(kept), values });
    const place = expandPlace(kept, t.shape);
    this.#places.set(t, place);
    return place;
  }
  table(key: string, make: () => readonly number[]): number {
    let address = this.#tables.get(key);
    if (address === undefined) {
      const values = Int32Array.from(make());
      address = addressOf(this.kept([values.length]));
      this.#tables.set(key, address);
      this.constants.push({ address, values });
    }
    return address;
  }
  hostCall(describe: () => HostPlan): number {
    return this.hosts.push(describe) - 1;
  }
  copy(target: Place, source: Place): void {
    copySteps(this, target, source);
  }
  unite(name: "add" | "maximum" | "minimum", target: Place, sources: readonly Place[]): void {
    uniteSteps(this, name, target, sources);
  }
  fill(target: Place, value: number): void {
    fillSteps(this, target, value);
  }
  step({ reads, writes }: Pick<Draft, "reads" | "writes">, make: () => Step): void {
    if (!this.#hoisting) for (const storage of [...reads, ...writes]) this.#touch(storage);
    (this.#hoisting ? this.prologue : this.drafts).push({ reads, writes, make });
  }
  use({ storage }: Place): void {
    this.#touch(storage);
  }
  /** Keeps a storage alive up to the step that comes next. */
  #touch(storage: Storage): void {
    if (storage.first < 0) storage.first = this.drafts.length;
    storage.last = Math.max(storage.last, this.drafts.length);
  }
}
