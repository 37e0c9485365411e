// A small WebAssembly assembler: typed functions over one imported memory, built from expressions (values.ts) and
// statements. Blocks are callbacks, so they always close; what can still go wrong is an error that names the function.
import { OpError } from "../../errors.ts";
import { list, section, signed, text, unsigned } from "./encoding.ts";
import { type NumberType, type Stored, type StoreName, stores, typeCodes, type ValueType } from "./opcodes.ts";
import { access, Local, type Operand, op, type Sink, type Value, value } from "./values.ts";
import { type WasmMemory, WebAssembly } from "./web-assembly.ts";

type Params = Readonly<Record<string, NumberType>>;
type Locals<P extends Params> = { readonly [K in keyof P]: Local<P[K]> };
// biome-ignore lint/suspicious/noConfusingVoidType: a body without a result ends without a return
type Result = Value<NumberType> | void;
/** A function before it has bytes: named parameters, and a body that emits code and may return the result. */
export interface Definition<P extends Params = Params, R extends Result = Result> {
  readonly params: P;
  /** A method, so that definitions of any parameters fit into one record. */
  body(f: FunctionBuilder, params: Locals<P>): R;
}
type Definitions = Readonly<Record<string, Definition>>;

/** A function, for example `define({ x: "f32" }, (_, { x }) => op("f32.mul", x, 2))`. */
export const define = <const P extends Params, R extends Result>(
  params: P,
  body: (f: FunctionBuilder, params: Locals<P>) => R,
): Definition<P, R> => ({ params, body });

/** All of them i32: addresses, byte steps and counts. */
export const integers = <const N extends string>(...names: readonly N[]): Readonly<Record<N, "i32">> =>
  Object.fromEntries(names.map((name) => [name, "i32"])) as Record<N, "i32">; // Object.fromEntries forgets the names

type Tuple<T, N extends number, A extends T[] = []> = number extends N
  ? T[]
  : A["length"] extends N
    ? A
    : Tuple<T, N, [...A, T]>;

/** A place to branch to: the start of a loop or the end of a block. */
export interface Label {
  readonly owner: FunctionBuilder;
  readonly depth: number;
}

/** Emits one function's statements. */
export class FunctionBuilder implements Sink {
  readonly name: string;
  readonly #code: number[] = [];
  readonly #open: Label[] = [];
  readonly #locals: ValueType[] = [];
  readonly #constants = new Map<string, { readonly lane: readonly number[]; readonly local: Local<"v128"> }>();
  readonly #params: number;
  #finished = false;

  constructor(name: string, params: number) {
    this.name = name;
    this.#params = params;
  }
  /** A new variable, 0 at first. */
  local<T extends ValueType>(type: T): Local<T> {
    this.#locals.push(type);
    return new Local(type, this, this.#params + this.#locals.length - 1);
  }
  /** `count` new variables. */
  locals<T extends ValueType, N extends number>(type: T, count: N): Tuple<Local<T>, N> {
    return Array.from({ length: count }, () => this.local(type)) as Tuple<Local<T>, N>; // of that length
  }
  set<T extends ValueType>(local: Local<T>, x: Operand<T>): void {
    value(local.type, x).write(this);
    access(this, local, 0x21);
  }
  /** local += x. */
  increase(local: Local<"i32">, x: Operand<"i32">): void {
    this.set(local, op("i32.add", local, x));
  }
  /** Writes x to memory at `address` + `offset` bytes. */
  store<N extends StoreName>(name: N, address: Operand<"i32">, x: Operand<Stored<N>>, offset = 0): void {
    const { code, align, type } = stores[name];
    value("i32", address).write(this);
    value<ValueType>(type, x as Operand<ValueType>).write(this); // the table's row of this name
    this.emit([...code, align, ...unsigned(offset)]);
  }
  /** Writes one lane (0 to 3) of x, a float, to memory at `address` + `offset` bytes. */
  storeLane(address: Operand<"i32">, x: Value<"v128">, lane: number, offset = 0): void {
    value("i32", address).write(this);
    x.write(this);
    this.emit([0xfd, 90, 2, ...unsigned(offset), lane]);
  }
  /** A branch to the label goes behind the body. */
  block(body: (leave: Label) => void): void {
    this.#nest(0x02, body);
  }
  /** A branch to the label starts the body again; without one the loop ends. */
  loop(body: (again: Label) => void): void {
    this.#nest(0x03, body);
  }
  /** Runs `yes` if the condition is not 0, else `no`. */
  if(condition: Operand<"i32">, yes: () => void, no?: () => void): void {
    value("i32", condition).write(this);
    this.#nest(0x04, () => {
      yes();
      if (!no) return;
      this.emit([0x05]);
      no();
    });
  }
  branch(label: Label): void {
    this.emit([0x0c, ...unsigned(this.#distance(label))]);
  }
  branchIf(label: Label, condition: Operand<"i32">): void {
    value("i32", condition).write(this);
    this.emit([0x0d, ...unsigned(this.#distance(label))]);
  }
  /** Runs the body `counter` times, at least once; the counter is used up. */
  countdown(counter: Local<"i32">, body: () => void): void {
    this.loop((again) => {
      body();
      this.increase(counter, -1);
      this.branchIf(again, counter);
    });
  }
  /** Runs the body for counter = 0, 1, ... below `end`. */
  for(counter: Local<"i32">, end: Operand<"i32">, body: () => void): void {
    this.set(counter, 0);
    this.block((leave) =>
      this.loop((again) => {
        this.branchIf(leave, op("i32.ge_s", counter, end));
        body();
        this.increase(counter, 1);
        this.branch(again);
      }),
    );
  }
  emit(bytes: readonly number[]): void {
    if (this.#finished)
      throw new OpError(`wasm function ${this.name}`, "code inside its body", "code after the body has ended");
    this.#code.push(...bytes);
  }
  /**
   * Four times the lane, from a variable that is set where the function begins: V8 from version 12 on builds a constant of a
   * vector anew at every use. What is spread over a vector is none to it.
   */
  constant(lane: readonly number[]): void {
    if (lane.every((byte) => byte === 0)) {
      this.emit([0xfd, 12, ...lane, ...lane, ...lane, ...lane]);
      return;
    }
    const key = lane.join();
    const known = this.#constants.get(key) ?? { lane, local: this.local("v128") };
    this.#constants.set(key, known);
    access(this, known.local, 0x20);
  }
  /** Ends the function: the size, the locals, the constants, the code. */
  finish(): number[] {
    if (this.#open.length > 0)
      throw new OpError(`wasm function ${this.name}`, "every block closed", `${this.#open.length} open`);
    this.#finished = true;
    const constants = [...this.#constants.values()].flatMap(({ lane, local }) => {
      const [bits] = new Int32Array(Uint8Array.from(lane).buffer);
      return [0x41, ...signed(bits!), 0xfd, 17, 0x21, ...unsigned(local.index)];
    });
    const code = [...list(this.#locals.map((type) => [1, typeCodes[type]])), ...constants, ...this.#code, 0x0b];
    return [...unsigned(code.length), ...code];
  }
  #nest(code: number, body: (label: Label) => void): void {
    const label = { owner: this, depth: this.#open.length };
    this.emit([code, 0x40]);
    this.#open.push(label);
    body(label);
    this.#open.pop();
    this.emit([0x0b]);
  }
  #distance(label: Label): number {
    if (this.#open[label.depth] !== label)
      throw new OpError(
        `wasm function ${this.name}`,
        "a branch to a block that is open",
        label.owner === this ? "one that has ended" : `a block of ${label.owner.name}`,
      );
    return this.#open.length - 1 - label.depth;
  }
}

const MAX_PAGES = 65536;
/**
 * The bytes of a module that imports `host.memory` (of any size; shared or not as said) and exports the functions.
 * @throws OpError if a body is wrong.
 */
export function assemble(definitions: Definitions, { shared = false } = {}): Uint8Array {
  const functions = Object.entries(definitions).map(([name, { params, body }]) => {
    const types = Object.entries<NumberType>(params);
    const f = new FunctionBuilder(name, types.length);
    const locals = Object.fromEntries(types.map(([param, type], i) => [param, new Local(type, f, i)]));
    const result = body(f, locals);
    result?.write(f);
    const results = result ? [[typeCodes[result.type]]] : [];
    return {
      name,
      type: [0x60, ...list(types.map(([, type]) => [typeCodes[type]])), ...list(results)],
      code: f.finish(),
    };
  });
  const memory = [...text("host"), ...text("memory"), 2, shared ? 3 : 1, ...unsigned(1), ...unsigned(MAX_PAGES)];
  const bytes = new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(functions.map((f) => f.type))),
    ...section(2, list([memory])),
    ...section(3, list(functions.map((_, i) => unsigned(i)))),
    ...section(7, list(functions.map((f, i) => [...text(f.name), 0, ...unsigned(i)]))),
    ...section(10, list(functions.map((f) => f.code))),
  ]);
  if (!WebAssembly.validate(bytes))
    throw new OpError("wasm module", "valid functions", `an invalid one among ${Object.keys(definitions).join(", ")}`);
  return bytes;
}

type Callable<D> =
  D extends Definition<infer P, infer R>
    ? (args: { readonly [K in keyof P]: number }) => R extends Value<NumberType> ? number : void
    : never;
/** The functions as JavaScript sees them: arguments by name. Give a plain literal: a spread costs microseconds. */
export type Exports<D> = { readonly [K in keyof D]: Callable<D[K]> };

/** Compiles the functions over the memory. */
export function instantiate<D extends Definitions>(definitions: D, memory: WasmMemory): Exports<D> {
  const shared = !(memory.buffer instanceof ArrayBuffer);
  const module = new WebAssembly.Module(assemble(definitions, { shared }));
  const { exports } = new WebAssembly.Instance(module, { host: { memory } });
  const call = ([name, { params }]: [string, Definition]) => [name, byName(exports[name]!, Object.keys(params))];
  return Object.fromEntries(Object.entries(definitions).map(call)) as Exports<D>; // one callable per definition
}

type Run = (...values: (number | undefined)[]) => number | undefined;
type ByName = (args: Readonly<Record<string, number>>) => number | undefined;
type Names = Tuple<string, 15>;
// biome-ignore format: a line for each number of parameters
/** Calls with the arguments in the order of the names, for the usual numbers of them: a list to spread costs a call 100 ns more. */
const positional: Readonly<Record<number, (run: Run, names: Names) => ByName>> = {
  5: (run, [a, b, c, d, e]) => (x) => run(x[a], x[b], x[c], x[d], x[e]),
  6: (run, [a, b, c, d, e, f]) => (x) => run(x[a], x[b], x[c], x[d], x[e], x[f]),
  7: (run, [a, b, c, d, e, f, g]) => (x) => run(x[a], x[b], x[c], x[d], x[e], x[f], x[g]),
  8: (run, [a, b, c, d, e, f, g, h]) => (x) => run(x[a], x[b], x[c], x[d], x[e], x[f], x[g], x[h]),
  9: (run, [a, b, c, d, e, f, g, h, i]) => (x) => run(x[a], x[b], x[c], x[d], x[e], x[f], x[g], x[h], x[i]),
  10: (run, [a, b, c, d, e, f, g, h, i, j]) => (x) => run(x[a], x[b], x[c], x[d], x[e], x[f], x[g], x[h], x[i], x[j]),
  11: (run, [a, b, c, d, e, f, g, h, i, j, k]) => (x) => run(x[a], x[b], x[c], x[d], x[e], x[f], x[g], x[h], x[i], x[j], x[k]),
  12: (run, [a, b, c, d, e, f, g, h, i, j, k, l]) => (x) => run(x[a], x[b], x[c], x[d], x[e], x[f], x[g], x[h], x[i], x[j], x[k], x[l]),
  13: (run, [a, b, c, d, e, f, g, h, i, j, k, l, m]) => (x) => run(x[a], x[b], x[c], x[d], x[e], x[f], x[g], x[h], x[i], x[j], x[k], x[l], x[m]),
  15: (run, [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o]) => (x) => run(x[a], x[b], x[c], x[d], x[e], x[f], x[g], x[h], x[i], x[j], x[k], x[l], x[m], x[n], x[o]),
};
const byName = (run: Run, names: readonly string[]): ByName =>
  positional[names.length]?.(run, names as Names) ?? ((args) => run(...names.map((name) => args[name]))); // as many as are used
