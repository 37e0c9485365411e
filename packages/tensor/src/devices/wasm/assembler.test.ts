// The assembler on its own: encodings, every instruction, control flow, and errors that name the function.
import { describe, expect, it } from "vitest";
import { OpError } from "../../errors.ts";
import { assemble, define, type FunctionBuilder, instantiate, integers, type Label } from "./assembler.ts";
import { signed, unsigned } from "./encoding.ts";
import { instructions, type OpName, type ValueType } from "./opcodes.ts";
import { f32x4, i32x4, type Local, load, loadLane, op, select, tee, type Value } from "./values.ts";
import { WebAssembly } from "./web-assembly.ts";

const newMemory = (shared = false) => new WebAssembly.Memory({ initial: 1, maximum: 1, shared });
/** Runs one function without parameters and returns its number. */
const evaluate = (x: Value<"i32" | "f32" | "f64">) => instantiate({ main: define({}, () => x) }, newMemory()).main({});
const message = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof OpError) return error.message;
    throw error;
  }
  throw new Error("expected an OpError");
};

describe("LEB128", () => {
  it.each([
    [0, [0]],
    [127, [0x7f]],
    [128, [0x80, 1]],
    [16384, [0x80, 0x80, 1]],
    [0xffffffff, [0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])("writes %d without a sign", (n, bytes) => expect(unsigned(n)).toEqual(bytes));
  it.each([
    [0, [0]],
    [63, [63]],
    [64, [0xc0, 0]],
    [-1, [0x7f]],
    [-64, [0x40]],
    [-65, [0xbf, 0x7f]],
    [2 ** 31 - 1, [0xff, 0xff, 0xff, 0xff, 7]],
    [-(2 ** 31), [0x80, 0x80, 0x80, 0x80, 0x78]],
    [2 ** 32 - 1, [0x7f]],
  ])("writes %d with a sign", (n, bytes) => expect(signed(n)).toEqual(bytes));
  it.each([-1, 0.5, 2 ** 32, Number.NaN])("refuses %d as an unsigned number", (n) =>
    expect(() => unsigned(n)).toThrow(OpError),
  );
  it.each([-(2 ** 31) - 1, 0.5, 2 ** 32])("refuses %d as a 32-bit number", (n) =>
    expect(() => signed(n)).toThrow(OpError),
  );
  it("is read back as it was meant", () => {
    for (const n of [0, 1, 63, 64, 127, 128, 8191, 8192, 2 ** 20, 2 ** 27, 2 ** 31 - 1])
      for (const x of [n, -n | 0, -n - 1]) expect(evaluate(op("i32.add", x, 0))).toBe(x);
  });
});

describe("instructions", () => {
  const sample: Record<ValueType, Value<ValueType>> = {
    i32: op("i32.eqz", 1),
    f32: op("f32.abs", 1),
    f64: op("f64.abs", 1),
    v128: f32x4(1),
  };
  it.each(Object.keys(instructions) as OpName[])("%s takes and gives what the table says", (name) => {
    const { params, result } = instructions[name];
    const apply = op as (name: OpName, ...operands: Value<ValueType>[]) => Value<ValueType>;
    const body = (f: FunctionBuilder) => f.set(f.local(result), apply(name, ...params.map((type) => sample[type])));
    expect(WebAssembly.validate(assemble({ main: define({}, body) }))).toBe(true);
  });
  it.each([
    [op("i32.sub", 3, 5), -2],
    [op("i32.shl", 3, 4), 48],
    [op("i32.rem_s", -7, 3), -1],
    [op("i32.lt_u", -1, 1), 0],
    [op("i32.lt_s", -1, 1), 1],
    [op("f32.div", 1, 3), Math.fround(1 / 3)],
    [op("f64.div", 1, 3), 1 / 3],
    [op("f64.promote_f32", op("f32.sqrt", 2)), Math.fround(Math.SQRT2)],
    [op("f32.nearest", 2.5), 2],
    [op("i32.reinterpret_f32", 1), 0x3f800000],
    [select(0, op("f32.abs", 1), op("f32.abs", -2)), 2],
  ])("computes a scalar (case %#)", (x, expected) => expect(evaluate(x)).toBe(expected));
  it("computes on four lanes", () => {
    const memory = newMemory();
    const lanes = new Float32Array(memory.buffer, 0, 8);
    lanes.set([1, -2, 3, -4]);
    const main = define({ x: "i32", y: "i32" }, (f, { x, y }) => {
      const doubled = op("f32x4.mul", load("v128.load", x), f32x4(2));
      const bits = op("i32x4.add", op("i32x4.shl", i32x4(127), 23), i32x4(0)); // the float 1
      f.store("v128.store", y, op("f32x4.pmax", op("f32x4.add", doubled, bits), load("v128.load32_splat", x)), 16);
    });
    instantiate({ main }, memory).main({ x: 0, y: 0 });
    expect([...lanes.subarray(4)]).toEqual([3, 1, 7, 1]);
  });
  it("spreads a constant once, before the first branch, however often it is used", () => {
    const memory = newMemory();
    const main = define({ x: "i32" }, (f, { x }) => {
      for (let i = 0; i < 3; i++)
        f.if(op("i32.eq", x, i), () => f.store("v128.store", x, op("f32x4.add", f32x4(i), f32x4(-0.5)), 16));
    });
    const bytes = [...assemble({ main })];
    const splats = bytes.filter((byte, i) => byte === 0xfd && bytes[i + 1] === 17);
    expect(splats).toHaveLength(3); // -0.5, 1 and 2
    instantiate({ main }, memory).main({ x: 0 });
    expect([...new Float32Array(memory.buffer, 16, 4)]).toEqual([-0.5, -0.5, -0.5, -0.5]);
  });
  it("loads and stores single lanes", () => {
    const memory = newMemory();
    const lanes = new Float32Array(memory.buffer, 0, 8);
    lanes.set([1, 2, 3, 4]);
    const main = define({ x: "i32" }, (f, { x }) => {
      f.storeLane(x, loadLane(x, load("v128.load", x), 1, 12), 1, 24);
    });
    instantiate({ main }, memory).main({ x: 0 });
    expect([...lanes]).toEqual([1, 2, 3, 4, 0, 0, 4, 0]);
  });
});

describe("statements", () => {
  const factorial = define({ n: "i32" }, (f, { n }) => {
    const product = f.local("f64");
    f.set(product, 1);
    f.countdown(n, () => f.set(product, op("f64.mul", product, op("f64.convert_i32_s", n))));
    return product;
  });
  const collatz = define({ n: "i32" }, (f, { n }) => {
    const steps = f.local("i32");
    f.block((leave) =>
      f.loop((again) => {
        f.branchIf(leave, op("i32.eq", n, 1));
        f.if(
          op("i32.and", n, 1),
          () => f.set(n, op("i32.add", op("i32.mul", n, 3), 1)),
          () => f.set(n, op("i32.shr_u", n, 1)),
        );
        f.increase(steps, 1);
        f.branch(again);
      }),
    );
    return steps;
  });
  const range = define({ end: "i32" }, (f, { end }) => {
    const [i, sum] = [f.local("i32"), f.local("i32")];
    f.for(i, end, () => f.increase(sum, i));
    return op("i32.sub", tee(sum, op("i32.mul", sum, 2)), 0);
  });
  it.each([false, true])("loop, branch and call by name over a memory with shared: %s", (shared) => {
    const run = instantiate({ factorial, collatz, range }, newMemory(shared));
    expect([run.factorial({ n: 10 }), run.collatz({ n: 27 }), run.range({ end: 5 }), run.range({ end: 0 })]).toEqual([
      3628800, 111, 20, 0,
    ]);
  });
  it("pass arguments by name, in whatever order they stand", () => {
    const main = define(integers("a", "b"), (_, { a, b }) => op("i32.sub", a, b));
    expect(instantiate({ main }, newMemory()).main({ b: 2, a: 5 })).toBe(3);
  });
});

describe("errors", () => {
  const build = (body: (f: FunctionBuilder) => void) => message(() => assemble({ main: define({}, body) }));
  it("tell a local of another function", () => {
    let foreign: Local<"i32"> | undefined;
    const other = define({}, (f) => {
      foreign = f.local("i32");
    });
    const main = define({}, (f) => f.set(foreign!, 1));
    expect(message(() => assemble({ other, main }))).toBe(
      "wasm function main: expected a local of this function, got one of other",
    );
  });
  it("tell a branch to a block that has ended", () => {
    const body = (f: FunctionBuilder) => {
      let ended: Label | undefined;
      f.block((leave) => {
        ended = leave;
      });
      f.block(() => f.branch(ended!));
    };
    expect(build(body)).toBe("wasm function main: expected a branch to a block that is open, got one that has ended");
  });
  it("tell an unbalanced block", () => {
    expect(build((f) => f.block(() => f.finish()))).toBe("wasm function main: expected every block closed, got 1 open");
  });
  it("tell code after the end", () => {
    let kept: FunctionBuilder | undefined;
    assemble({
      main: define({}, (f) => {
        kept = f;
      }),
    });
    expect(message(() => kept!.set(kept!.local("i32"), 1))).toMatch(/main: expected code inside its body/);
  });
  it("tell wrong operands that escaped the type check", () => {
    const loose = op as unknown as (name: string, ...operands: unknown[]) => Value<ValueType>;
    expect(message(() => loose("i32.add", f32x4(1), 1))).toBe("wasm operand: expected a value of type i32, got v128");
    expect(message(() => loose("i32.add", 1))).toBe("wasm i32.add: expected 2 operands, got 1");
    expect(message(() => loose("f32x4.add", 1, 1))).toMatch(/expected f32x4\(\.\.\.\) or i32x4\(\.\.\.\)/);
  });
  it("tell raw bytes that are no code", () => {
    expect(build((f) => f.emit([0x6a]))).toBe("wasm module: expected valid functions, got an invalid one among main");
  });
  it("wrong names and types do not compile", () => {
    // @ts-expect-error no such instruction
    expect(() => op("f32x4.plus", f32x4(1), f32x4(1))).toThrow();
    // @ts-expect-error an f32 instruction on vectors
    expect(() => op("f32.add", f32x4(1), f32x4(1))).toThrow(OpError);
  });
});
