// From an expression to its kernel: rows { pixels { innermost loop } }, four elements a turn, then the rest one by one.
import { type Definition, define, type FunctionBuilder, integers } from "../assembler.ts";
import { f32x4, type Local, load, loadLane, op, type Value } from "../values.ts";
import type { Access, Expression, NodeName, Ref } from "./expression.ts";
import { bounded, type Emit, nodes } from "./nodes.ts";
import { add, type Vector } from "./vectors.ts";

const WORD = 4;
const LANES = 4;
const VECTOR = 16;
/** Turns of the kernel's three loops, then four words per access. */
const LOOPS = 3;
const ACCESS = 4;

/** Words of a kernel's arguments: accesses are its operands, then its stores. */
export const argumentWords = (accesses: number, sums: number, scalars: number) => ({
  /** Byte address, then bytes per row, pixel and element of the innermost loop. */
  access: (i: number) => LOOPS + ACCESS * i,
  /** Byte address of the sums: a float per element of the innermost loop, added to. */
  sum: (i: number) => LOOPS + ACCESS * accesses + i,
  /** A float. */
  scalar: (i: number) => LOOPS + ACCESS * accesses + sums + i,
  total: LOOPS + ACCESS * accesses + sums + scalars,
});

/** When a value is known: for all of the call, for a pixel, for an element of all pixels, or for an element alone. */
type Level = "call" | "pixel" | "column" | "element";
const LEVELS: readonly Level[] = ["call", "pixel", "column", "element"];
const levelOfAccess: Readonly<Record<Access, Level>> = {
  ...{ repeat: "pixel", fixed: "column", vector: "element", strided: "element" },
};

/**
 * A pointer of an operand or store: `at` is the pixel, `walk` the element. `step` is the bytes to the next element of a strided
 * one, and in a kernel with fixed operands to the next pixel.
 */
interface Pointer {
  readonly access: Access;
  readonly word: number;
  readonly at: Local<"i32">;
  readonly walk: Local<"i32">;
  readonly step: Local<"i32">;
}

/**
 * The kernel of an expression. Its parameter is the byte address of its arguments (`argumentWords`): rows, pixels and
 * inner, at least 1 each, accesses, sums, scalars. All operands of an element are loaded before it is stored, and nothing
 * but the elements is written, so a store may lie on an operand. `vectors` are computed side by side.
 */
export function fusedKernel(
  expression: Expression,
  { vectors = sideBySide(expression) } = {},
): Definition<{ readonly args: "i32" }> {
  return define(integers("args"), (f, { args }) => {
    const emitter = new Emitter(f, args, expression);
    if (expression.operands.includes("fixed")) emitter.runTiles();
    else emitter.run(vectors);
  });
}

/**
 * With fixed operands a turn takes these vectors of two pixels: fixed operands and sums are loaded once for both. Measured against
 * four vectors of one pixel: statistics 1.2 to 1.3 times as fast, SiLU and its gradient up to 1.1, most with few channels.
 */
const TILE = { pixels: 2, vectors: 2 };
/** The innermost loop of a kernel with fixed operands is a multiple of this. */
export const TILE_ELEMENTS = LANES * TILE.vectors;

/** Functions whose result waits for a long chain of instructions. */
const LONG: ReadonlySet<NodeName> = new Set(["exp", "log", "sin", "cos", "atan", "pow", "sigmoid"]);
/** Nodes above which an expression has work enough for a core at one vector a turn, and more would only be more code. */
const MANY_NODES = 24;

/** Measured: four vectors a turn make SiLU 1.4 and its gradient 1.5 times as fast, two make copies and sums 1.1 times. */
function sideBySide({ nodes }: Expression): number {
  if (nodes.length > MANY_NODES) return 1;
  return nodes.some(({ name }) => LONG.has(name)) ? 4 : 2;
}

class Emitter {
  readonly #f: FunctionBuilder;
  readonly #args: Local<"i32">;
  readonly #expression: Expression;
  readonly #operands: readonly Pointer[];
  readonly #stores: readonly Pointer[];
  readonly #sums: readonly Local<"i32">[];
  readonly #scalars: readonly Local<"v128">[];
  readonly #levels: readonly Level[];
  readonly #emit = new Map<string, Emit>();
  /** Byte offset of the element in the innermost loop, for accesses that are not strided. */
  readonly #offset: Local<"i32">;
  /** Values that do not change in the innermost loop. */
  readonly #outer: Values;

  constructor(f: FunctionBuilder, args: Local<"i32">, expression: Expression) {
    const { operands, stores, sums, scalars } = expression;
    this.#f = f;
    this.#args = args;
    this.#expression = expression;
    const words = argumentWords(operands.length + stores.length, sums.length, scalars);
    const pointers = [...operands, ...stores.map((s) => s.access)].map((access, i): Pointer => {
      const [at, walk, step] = f.locals("i32", 3);
      f.set(at, this.#word(words.access(i)));
      f.set(step, this.#word(words.access(i) + 3));
      return { access, word: words.access(i), at, walk, step };
    });
    this.#operands = pointers.slice(0, operands.length);
    this.#stores = pointers.slice(operands.length);
    this.#sums = sums.map((_, i) => {
      const at = f.local("i32");
      f.set(at, this.#word(words.sum(i)));
      return at;
    });
    this.#scalars = Array.from({ length: scalars }, (_, i) => {
      const local = f.local("v128");
      f.set(local, load("v128.load32_splat", args, WORD * words.scalar(i)));
      return local;
    });
    this.#offset = f.local("i32");
    for (const { name } of expression.nodes) if (!this.#emit.has(name)) this.#emit.set(name, nodes[name](f));
    this.#levels = levelsOf(expression);
    this.#outer = this.#values("call");
  }

  run(vectors: number): void {
    const f = this.#f;
    const pixels = f.local("i32");
    this.#rows((inner) => {
      f.set(pixels, this.#word(1));
      f.countdown(pixels, () => {
        for (const [i, { access, at }] of this.#operands.entries())
          if (access === "repeat") f.set(this.#outer.operands[i]!, load("v128.load32_splat", at));
        this.#compute("pixel", [this.#outer]);
        this.#innermost(inner, vectors);
        for (const { at, word } of this.#pointers()) f.increase(at, this.#word(word + 2));
      });
    });
  }

  /** Tiles of several pixels and vectors, then the pixels that are left. */
  runTiles(): void {
    const f = this.#f;
    const pixels = f.local("i32");
    for (const { step, word } of this.#pointers()) f.set(step, this.#word(word + 2));
    const columns = Array.from({ length: TILE.vectors }, () => this.#values("column", this.#outer));
    const tile = Array.from({ length: TILE.pixels }, () => columns.map((column) => this.#values("element", column)));
    this.#rows((inner) => {
      const walk = (count: Value<"i32">, several: readonly (readonly Values[])[]) => {
        f.set(pixels, count);
        f.if(pixels, () =>
          f.countdown(pixels, () => {
            f.set(this.#offset, 0);
            this.#while(inner, TILE.vectors * VECTOR, () => this.#tile(columns, several));
            for (const { at, step } of this.#pointers()) f.increase(at, op("i32.mul", step, several.length));
          }),
        );
      };
      walk(op("i32.div_u", this.#word(1), TILE.pixels), tile);
      walk(op("i32.rem_u", this.#word(1), TILE.pixels), tile.slice(0, 1));
    });
  }
  /** The same elements, `columns`, of several pixels. */
  #tile(columns: readonly Values[], pixels: readonly (readonly Values[])[]): void {
    const f = this.#f;
    const each = ({ walk, step }: Pointer, visit: (values: Values, offset: number) => void) => {
      for (const [i, values] of pixels.entries()) {
        if (i > 0) f.increase(walk, step);
        for (const [k, value] of values.entries()) visit(value, k * VECTOR);
      }
    };
    for (const { at, walk } of this.#pointers()) f.set(walk, this.#here(at));
    for (const [i, pointer] of this.#operands.entries()) {
      const read = ({ operands }: Values, offset: number) =>
        f.set(operands[i]!, load("v128.load", pointer.walk, offset));
      if (pointer.access !== "fixed") each(pointer, read);
      else for (const [k, column] of columns.entries()) read(column, k * VECTOR);
    }
    this.#compute("column", columns);
    this.#compute("element", pixels.flat());
    for (const [i, pointer] of this.#stores.entries()) {
      const { value } = this.#expression.stores[i]!;
      each(pointer, (values, offset) => f.store("v128.store", pointer.walk, this.#get(value, values), offset));
    }
    for (const [i, at] of this.#sums.entries())
      for (const k of columns.keys()) {
        const sum = this.#here(at);
        const terms = pixels.map((values) => this.#get(this.#expression.sums[i]!, values[k]!));
        f.store("v128.store", sum, terms.reduce(add, load("v128.load", sum, k * VECTOR)), k * VECTOR);
      }
  }

  /** Calls `row` with the pointers at the start of each row, and the bytes of the innermost loop. */
  #rows(row: (inner: Local<"i32">) => void): void {
    const f = this.#f;
    const [rows, inner] = f.locals("i32", 2);
    f.set(rows, this.#word(0));
    f.set(inner, op("i32.shl", this.#word(2), 2));
    this.#compute("call", [this.#outer]);
    f.countdown(rows, () => {
      row(inner);
      // To the next row: all pixels back, one row on.
      for (const { at, word } of this.#pointers())
        f.increase(at, op("i32.sub", this.#word(word + 1), op("i32.mul", this.#word(word + 2), this.#word(1))));
    });
  }

  #innermost(inner: Local<"i32">, vectors: number): void {
    const f = this.#f;
    f.set(this.#offset, 0);
    // One address for neighbours: an engine that pairs vectors looks for stores beside each other.
    for (const { access, at, walk } of this.#pointers()) if (access === "strided") f.set(walk, at);
    const several = Array.from({ length: vectors }, () => this.#values("element", this.#outer));
    const [first] = several;
    if (vectors > 1) this.#while(inner, vectors * VECTOR, () => this.#vectors(several));
    this.#while(inner, VECTOR, () => this.#vectors([first!]));
    this.#while(inner, WORD, () => this.#element(first!));
  }
  /** Runs the body as long as `bytes` more fit into the innermost loop. */
  #while(inner: Local<"i32">, bytes: number, body: () => void): void {
    const f = this.#f;
    const last = f.local("i32");
    f.set(last, op("i32.sub", inner, bytes));
    f.if(op("i32.le_s", this.#offset, last), () =>
      f.loop((again) => {
        body();
        f.increase(this.#offset, bytes);
        f.branchIf(again, op("i32.le_s", this.#offset, last));
      }),
    );
  }

  /** Vectors that follow each other. */
  #vectors(several: readonly Values[]): void {
    const f = this.#f;
    // One address for neighbours: an engine that pairs vectors looks for stores beside each other.
    for (const { access, at, walk } of this.#pointers()) if (access === "vector") f.set(walk, this.#here(at));
    for (const [i, { access, walk, step }] of this.#operands.entries())
      for (const [k, { operands }] of several.entries()) {
        if (access === "vector") f.set(operands[i]!, load("v128.load", walk, k * VECTOR));
        if (access !== "strided") continue;
        f.set(operands[i]!, load("v128.load32_zero", walk));
        for (let lane = 1; lane < LANES; lane++) {
          f.increase(walk, step);
          f.set(operands[i]!, loadLane(walk, operands[i]!, lane));
        }
        f.increase(walk, step);
      }
    this.#compute("element", several);
    for (const [i, { access, walk, step }] of this.#stores.entries())
      for (const [k, values] of several.entries()) {
        const value = this.#get(this.#expression.stores[i]!.value, values);
        if (access === "vector") f.store("v128.store", walk, value, k * VECTOR);
        else
          for (let lane = 0; lane < LANES; lane++) {
            f.storeLane(walk, value, lane);
            f.increase(walk, step);
          }
      }
    for (const [i, at] of this.#sums.entries())
      for (const [k, values] of several.entries()) {
        const sum = this.#here(at);
        const value = this.#get(this.#expression.sums[i]!, values);
        f.store("v128.store", sum, add(load("v128.load", sum, k * VECTOR), value), k * VECTOR);
      }
  }
  /** One element, the same in all lanes. */
  #element(values: Values): void {
    const f = this.#f;
    for (const [i, { access, at, walk, step }] of this.#operands.entries()) {
      if (access === "repeat") continue;
      f.set(values.operands[i]!, load("v128.load32_splat", access === "vector" ? this.#here(at) : walk));
      if (access === "strided") f.increase(walk, step);
    }
    this.#compute("element", [values]);
    for (const [i, { access, at, walk, step }] of this.#stores.entries()) {
      f.storeLane(access === "vector" ? this.#here(at) : walk, this.#get(this.#expression.stores[i]!.value, values), 0);
      if (access === "strided") f.increase(walk, step);
    }
    for (const [i, at] of this.#sums.entries()) {
      const sum = this.#here(at);
      f.storeLane(sum, add(load("v128.load32_zero", sum), this.#get(this.#expression.sums[i]!, values)), 0);
    }
  }

  /** Sets the nodes of a level, in all vectors side by side. */
  #compute(level: Level, several: readonly Values[]): void {
    for (const [i, { name, args }] of this.#expression.nodes.entries()) {
      if (this.#levels[i] !== level) continue;
      for (const values of several) this.#f.set(values.nodes[i]!, this.#node(name, args, values));
    }
  }
  #node(name: NodeName, args: readonly Ref[], values: Values): Vector {
    if (name === "maximum" || name === "minimum") {
      const [a, b] = args as [Ref, Ref];
      const [x, limit] = "constant" in a ? [b, a] : [a, b];
      const short = "constant" in limit && bounded(name, this.#get(x, values), limit.constant);
      if (short) return short;
    }
    return this.#emit.get(name)!(...args.map((ref) => this.#get(ref, values)));
  }
  /** New locals for what is known at `level` or later, those of `outer` for the rest. */
  #values(level: Level, outer?: Values): Values {
    const { operands, nodes } = this.#expression;
    const local = (of: Level, known: Local<"v128"> | undefined) =>
      known && LEVELS.indexOf(of) < LEVELS.indexOf(level) ? known : this.#f.local("v128");
    return {
      operands: operands.map((access, i) => local(levelOfAccess[access], outer?.operands[i])),
      nodes: nodes.map((_, i) => local(this.#levels[i]!, outer?.nodes[i])),
    };
  }
  #get(ref: Ref, values: Values): Vector {
    if ("operand" in ref) return values.operands[ref.operand]!;
    if ("node" in ref) return values.nodes[ref.node]!;
    if ("scalar" in ref) return this.#scalars[ref.scalar]!;
    return f32x4(ref.constant);
  }
  #here(at: Local<"i32">): Value<"i32"> {
    return op("i32.add", at, this.#offset);
  }
  #word(index: number): Value<"i32"> {
    return load("i32.load", this.#args, WORD * index);
  }
  #pointers(): readonly Pointer[] {
    return [...this.#operands, ...this.#stores];
  }
}

/** Locals of the operands and nodes of one vector. */
interface Values {
  readonly operands: readonly Local<"v128">[];
  readonly nodes: readonly Local<"v128">[];
}
/** The level of each node: the latest of its arguments'. */
function levelsOf({ operands, nodes }: Expression): Level[] {
  const levels: Level[] = [];
  const levelOf = (ref: Ref): Level => {
    if ("operand" in ref) return levelOfAccess[operands[ref.operand]!];
    return "node" in ref ? levels[ref.node]! : "call";
  };
  for (const { args } of nodes) levels.push(LEVELS[Math.max(0, ...args.map((ref) => LEVELS.indexOf(levelOf(ref))))]!);
  return levels;
}
