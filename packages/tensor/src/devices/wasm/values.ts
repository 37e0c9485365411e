// Expressions of a WebAssembly function: typed trees of instructions, written out where they are used.
import { OpError } from "../../errors.ts";
import { float32, float64, int32, signed, unsigned } from "./encoding.ts";
import {
  instructions,
  type Loaded,
  type LoadName,
  loads,
  type OpName,
  type ParamsOf,
  type ResultOf,
  type ValueType,
} from "./opcodes.ts";

/** Where instructions go: one function's bytes. */
export interface Sink {
  readonly name: string;
  emit(bytes: readonly number[]): void;
  /** Four times the lane. */
  constant(lane: readonly number[]): void;
}
/** A value of a function. It is computed where it is used, each time anew, with what its locals hold there. */
export interface Value<T extends ValueType> {
  readonly type: T;
  write(to: Sink): void;
}
/** A value, or a number that becomes a constant; a vector constant says its lanes: `f32x4(0)`. */
export type Operand<T extends ValueType> = Value<T> | (T extends "v128" ? never : number);
type Operands<P extends readonly ValueType[]> = { readonly [I in keyof P]: Operand<P[I]> };

/** A variable of one function. */
export class Local<T extends ValueType> implements Value<T> {
  readonly type: T;
  readonly owner: Sink;
  readonly index: number;

  constructor(type: T, owner: Sink, index: number) {
    this.type = type;
    this.owner = owner;
    this.index = index;
  }
  write(to: Sink): void {
    access(to, this, 0x20);
  }
}

/** local.get, local.set or local.tee. @throws OpError if the local belongs to another function. */
export function access(to: Sink, local: Local<ValueType>, code: number): void {
  if (local.owner !== to)
    throw new OpError(`wasm function ${to.name}`, "a local of this function", `one of ${local.owner.name}`);
  to.emit([code, ...unsigned(local.index)]);
}

const scalars = {
  i32: (x: number) => [0x41, ...signed(x)],
  f32: (x: number) => [0x43, ...float32(x)],
  f64: (x: number) => [0x44, ...float64(x)],
};
/** The operand as a value: numbers become constants of the type. */
export function value<T extends ValueType>(type: T, x: Operand<T>): Value<T> {
  if (typeof x === "number") {
    if (type === "v128") throw new OpError("wasm constant", "f32x4(...) or i32x4(...)", `the bare number ${x}`);
    const bytes = scalars[type as keyof typeof scalars](x);
    return { type, write: (to) => to.emit(bytes) };
  }
  const given = x as Value<T>; // what is not a number is a value
  if (given.type !== type) throw new OpError("wasm operand", `a value of type ${type}`, given.type);
  return given;
}
const vector = (lane: readonly number[]): Value<"v128"> => ({
  type: "v128",
  write: (to) => to.constant(lane),
});
/** Four times the float x. */
export const f32x4 = (x: number): Value<"v128"> => vector(float32(x));
/** Four times the integer n. */
export const i32x4 = (n: number): Value<"v128"> => vector(int32(n));

/** An instruction applied to operands: `op("i32.add", p, 4)`. */
export function op<N extends OpName>(name: N, ...operands: Operands<ParamsOf<N>>): Value<ResultOf<N>> {
  const { code, params, result } = instructions[name];
  const given = operands as readonly Operand<ValueType>[];
  if (given.length !== params.length) throw new OpError(`wasm ${name}`, `${params.length} operands`, `${given.length}`);
  const values = params.map((type, i) => value<ValueType>(type, given[i]!));
  return {
    type: result as ResultOf<N>, // the table's row of this name
    write: (to) => {
      for (const v of values) v.write(to);
      to.emit(code);
    },
  };
}

/** What memory holds at `address` + `offset` bytes. */
export function load<N extends LoadName>(name: N, address: Operand<"i32">, offset = 0): Value<Loaded<N>> {
  const { code, align, type } = loads[name];
  const at = value("i32", address);
  return {
    type: type as Loaded<N>, // the table's row of this name
    write: (to) => {
      at.write(to);
      to.emit([...code, align, ...unsigned(offset)]);
    },
  };
}

/** x with one lane (0 to 3) replaced by the float at `address` + `offset` bytes. */
export function loadLane(address: Operand<"i32">, x: Value<"v128">, lane: number, offset = 0): Value<"v128"> {
  const at = value("i32", address);
  return {
    type: "v128",
    write: (to) => {
      at.write(to);
      x.write(to);
      to.emit([0xfd, 86, 2, ...unsigned(offset), lane]);
    },
  };
}

/** Four lanes of a (0 to 3) and b (4 to 7), 32 bits each, in the order given. */
export function shuffle(
  a: Value<"v128">,
  b: Value<"v128">,
  lanes: readonly [number, number, number, number],
): Value<"v128"> {
  const bytes = lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte));
  return {
    type: "v128",
    write: (to) => {
      a.write(to);
      b.write(to);
      to.emit([0xfd, 13, ...bytes]);
    },
  };
}

/** `yes` if the condition is not 0, else `no`; both are computed, before the condition. */
export function select<T extends ValueType>(condition: Operand<"i32">, yes: Value<T>, no: Value<T>): Value<T> {
  const when = value("i32", condition);
  return {
    type: yes.type,
    write: (to) => {
      yes.write(to);
      no.write(to);
      when.write(to);
      to.emit([0x1b]);
    },
  };
}

/** Sets the local and is what it was set to. */
export function tee<T extends ValueType>(local: Local<T>, x: Operand<T>): Value<T> {
  const set = value(local.type, x);
  return {
    type: local.type,
    write: (to) => {
      set.write(to);
      access(to, local, 0x22);
    },
  };
}
