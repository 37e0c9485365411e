// Fused kernels against plain loops: every node, every kind of access, any length, in place, with sums, over threads.
import { describe, expect, it } from "vitest";

import type { Primitive } from "../../../primitives/primitive.ts";
import { primitives } from "../../../primitives/table.ts";
import { Generator } from "../../../random.ts";
import { type Concrete, fromData } from "../../../tensor.ts";
import { instantiateKernels } from "../runtime.ts";
import { type PointwiseMachine, type PointwiseStep, runPointwise } from "../steps/pointwise.ts";
import { WebAssembly } from "../web-assembly.ts";
import type { Access, Expression, NodeName, Ref } from "./expression.ts";
import { FusedKernels } from "./library.ts";

const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: false });
const floats = new Float32Array(memory.buffer);
const integers = new Int32Array(memory.buffer);
const DATA = 1024; // bytes: where operands begin, behind the arguments
const generator = new Generator(7);
const kernels = instantiateKernels(memory);
const normals = (n: number) => Float32Array.from({ length: n }, () => generator.normal());

function machines(library: FusedKernels, threads: number): PointwiseMachine[] {
  const module = new WebAssembly.Module(library.assemble({ shared: false }));
  const { exports } = new WebAssembly.Instance(module, { host: { memory } });
  const fused = exports as unknown as PointwiseMachine["fused"]; // each takes the address of its arguments
  return Array.from({ length: threads }, (_, thread) => ({
    ...{ floats, integers, kernels, fused, args: 256 * thread, thread, threads },
  }));
}
const step = (kernel: string, rest: Partial<PointwiseStep>): PointwiseStep => ({
  ...{ op: "pointwise", kernel, scalars: [], loops: [1, 1, 1], accesses: [], sums: [], units: 1, block: 1000 },
  ...rest,
});

describe("every node", () => {
  const special = [0, -0, 1, -1, 2, -2.5, 0.3, 7, 1e-30, -1e30, 3e38, Infinity, -Infinity, Number.NaN];
  const nan = ["maximum", "minimum"].flatMap((name) => [0, 1, -1].map((constant) => ({ name, constant })));
  const names = [
    ...["neg", "exp", "log", "sqrt", "abs", "sin", "cos", "atan", "sigmoid", "copy", "add", "sub", "mul", "div"],
    ...["pow", "maximum", "minimum", "greater", "equal"],
  ] as const;
  /** Of functions that are polynomials here; their own tests hold tighter bounds. */
  const TOLERANCE = 1e-5;
  const bounded = new Set(["exp", "log", "sin", "cos", "atan", "sigmoid", "pow"]);
  const same = (got: Float32Array, expected: ArrayLike<number>, name: string, tell: (i: number) => string) => {
    for (const [i, y] of got.entries()) {
      const e = Math.fround(expected[i]!);
      const close = bounded.has(name) && Math.abs(y - e) <= TOLERANCE * Math.max(1e-32, Math.abs(e));
      if (!close) expect(y, `${name} of ${tell(i)}`).toBe(e);
    }
  };
  function evaluate(nodes: Expression["nodes"], operands: readonly Float32Array[]): Float32Array {
    const n = operands[0]!.length;
    const library = new FusedKernels();
    const value = { node: nodes.length - 1 };
    const kernel = library.nameOf({
      ...{ operands: operands.map(() => "vector"), scalars: 0, nodes, stores: [{ access: "vector", value }], sums: [] },
    });
    const at = (i: number) => DATA + 4 * n * i;
    for (const [i, x] of operands.entries()) floats.set(x, at(i) / 4);
    const accesses = [...operands.keys(), operands.length].map((i) => ({ address: at(i), strides: [0, 0, 4] }));
    runPointwise(step(kernel, { loops: [1, 1, n], accesses }), machines(library, 1)[0]!);
    return floats.slice(at(operands.length) / 4, at(operands.length + 1) / 4);
  }
  it.each(names)("%s equals the reference", (name) => {
    const primitive = primitives[name] as Primitive<Record<string, never>>;
    const probe = (x: Concrete[]) => {
      const outputs = primitive.infer(x, {});
      const one = primitive.evaluate(
        x,
        {},
        outputs,
        (dtype, n) => (dtype === "bool" ? new Uint8Array(n) : new Float64Array(n)) as never,
      );
      return (one as Concrete[])[0]!.toTypedArray();
    };
    const binary =
      name === "pow" || ["add", "sub", "mul", "div", "maximum", "minimum", "greater", "equal"].includes(name);
    const values = [...special, ...normals(50), ...normals(50).map((x) => 10 * x)].map(Math.fround);
    const pairs = binary ? values.flatMap((a) => values.map((b) => [a, b])) : values.map((a) => [a]);
    // sin and cos are not reduced beyond 1e4.
    const used = pairs.filter(
      ([a]) => !(name === "sin" || name === "cos") || !(Math.abs(a!) > 1e4) || !Number.isFinite(a),
    );
    const columns = [0, 1].slice(0, binary ? 2 : 1).map((i) => Float32Array.from(used, (pair) => pair[i]!));
    const args = columns.map((_, operand) => ({ operand }));
    const wide = columns.map((x) => fromData(Float64Array.from(x), [x.length]));
    same(evaluate([{ name, args }], columns), probe(wide) as ArrayLike<number>, name, (i) => String(used[i]));
  });
  it.each(nan)("$name with the constant $constant keeps NaN and the sign of zeros", ({ name, constant }) => {
    const x = Float32Array.from([...special, ...normals(20)]);
    const f = name === "maximum" ? Math.max : Math.min;
    for (const args of [
      [{ operand: 0 }, { constant }],
      [{ constant }, { operand: 0 }],
    ])
      same(
        evaluate([{ name: name as NodeName, args }], [x]),
        x.map((v) => f(v, constant)),
        name,
        (i) => String(x[i]),
      );
  });
  it("sigmoid is the same for every place in a turn of several vectors", () => {
    const nodes = [{ name: "sigmoid", args: [{ operand: 0 }] }] as const;
    const x = normals(45);
    const whole = evaluate(nodes, [x]);
    for (let n = 1; n < x.length; n++) expect(evaluate(nodes, [x.subarray(0, n)])).toEqual(whole.subarray(0, n));
  });
  it("where, truncate and nonZero follow JavaScript", () => {
    const x = Float32Array.from([...special, ...normals(20)]);
    const [a, b] = [normals(x.length), normals(x.length)];
    const args = [{ operand: 0 }, { operand: 1 }, { operand: 2 }];
    const chosen = x.map((c, i) => (c !== 0 ? a[i]! : b[i]!));
    same(evaluate([{ name: "where", args }], [x, a, b]), chosen, "where", (i) => String(x[i]));
    const [operand] = args as [Ref];
    same(
      evaluate([{ name: "truncate", args: [operand] }], [x]),
      x.map((v) => Math.trunc(v) + 0),
      "truncate",
      (i) => String(x[i]),
    );
    same(
      evaluate([{ name: "nonZero", args: [operand] }], [x]),
      x.map((v) => (v === 0 ? 0 : 1)),
      "nonZero",
      (i) => String(x[i]),
    );
  });
});

describe("accesses", () => {
  /** 3 (a b + s) - c, and its partial sums: operands and the store of the kinds given. */
  const expression = (operands: readonly Access[], store: "vector" | "strided"): Expression => ({
    ...{ operands, scalars: 1 },
    nodes: [
      { name: "mul", args: [{ operand: 0 }, { operand: 1 }] },
      { name: "add", args: [{ node: 0 }, { scalar: 0 }] },
      { name: "mul", args: [{ constant: 3 }, { node: 1 }] },
      { name: "sub", args: [{ node: 2 }, { operand: 2 }] },
    ],
    stores: [
      { access: store, value: { node: 3 } },
      { access: "vector", value: { operand: 2 } },
    ],
    sums: [{ node: 0 }, { node: 3 }],
  });
  const kinds: Access[] = ["vector", "repeat", "strided"];
  const mixed = kinds.flatMap((a) => kinds.flatMap((b) => kinds.map((c) => [a, b, c] as const)));
  const SCALAR = 0.75;

  /** Runs over loops with gaps between rows and pixels. Returns memory, and the sums added up over units. */
  function check(
    operands: readonly Access[],
    store: "vector" | "strided",
    loops: readonly number[],
    units: number,
    block: number,
  ) {
    const library = new FusedKernels();
    const kernel = library.nameOf(expression(operands, store));
    const inner = loops.at(-1)!;
    let top = DATA;
    const allocate = (count: number) => {
      const at = top;
      top += 4 * count + 20; // floats no one may touch behind each
      return at;
    };
    const accesses = [...operands, store, "vector" as const].map((access) => {
      const step = { vector: 1, repeat: 0, strided: 3, fixed: 1 }[access];
      const strides: number[] = [step];
      let size = Math.max(1, inner * step) + 2;
      for (const [i, n] of loops.slice(0, -1).reverse().entries()) {
        const still = access === "fixed" && i === 0;
        strides.unshift(still ? 0 : size);
        if (!still) size = size * n + 1;
      }
      return { address: allocate(size), strides: strides.map((s) => 4 * s) };
    });
    const sums = [0, 1].map(() => allocate(units * inner));
    const data = normals(top / 4).map((x) => Math.round(64 * x) / 64); // dyadic: sums are exact
    const expected = data.slice();
    const totals = [new Float32Array(units * inner), new Float32Array(units * inner)];
    const pixels = loops.slice(0, -1).reduce((product, n) => product * n, 1);
    for (let unit = 0; unit < units; unit++)
      for (let pixel = Math.floor((pixels * unit) / units); pixel < Math.floor((pixels * (unit + 1)) / units); pixel++)
        for (let i = 0; i < inner; i++) {
          const places = accesses.map(({ address, strides }) => {
            let at = address / 4 + (i * strides.at(-1)!) / 4;
            for (let loop = loops.length - 2, rest = pixel; loop >= 0; rest = Math.floor(rest / loops[loop--]!))
              at += ((rest % loops[loop]!) * strides[loop]!) / 4;
            return at;
          });
          const [a, b, c] = places.slice(0, 3).map((at) => data[at]!) as [number, number, number];
          const value = 3 * (a * b + SCALAR) - c;
          expected[places[3]!] = value;
          expected[places[4]!] = c;
          totals[0]![unit * inner + i]! += a * b;
          totals[1]![unit * inner + i]! += value;
        }
    for (const [i, address] of sums.entries()) expected.set(totals[i]!, address / 4);
    for (const threads of [1, 2]) {
      floats.set(data.subarray(DATA / 4), DATA / 4);
      for (const machine of machines(library, threads))
        runPointwise(step(kernel, { scalars: [SCALAR], loops, accesses, sums, units, block }), machine);
      const got = floats.slice(DATA / 4, top / 4);
      expect(got, `${threads} threads`).toEqual(expected.subarray(DATA / 4));
    }
  }

  it.each(mixed)("%s, %s and %s give what plain loops give, and touch nothing else", (...operands) => {
    for (const store of ["vector", "strided"] as const) check(operands, store, [2, 3, 11], 2, 1000);
  });
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 37])("an innermost loop of %d is exact", (inner) => {
    check(["vector", "repeat", "strided"], "vector", [3, 5, inner], 4, 4);
    check(["vector", "vector", "vector"], "strided", [1, 7, inner], 3, 2);
  });
  it.each([
    [[1, 2, 8], 1, 100],
    [[2, 5, 16], 3, 4],
    [[3, 7, 24], 2, 100],
    [[2, 3, 4, 8], 5, 8],
  ])(
    "operands that are the same for all pixels of a row: loops of %s in %d units and blocks of %d",
    (loops, units, block) => {
      check(["vector", "fixed", "vector"], "vector", loops, units, block);
      check(["fixed", "fixed", "vector"], "vector", loops, units, block);
      check(["fixed", "vector", "fixed"], "vector", loops, units, block);
    },
  );
  it.each([
    [[1, 1, 5], 1, 1],
    [[4, 3, 4], 3, 7],
    [[2, 3, 4, 5], 5, 8],
    [[2, 3, 2, 4, 9], 7, 100],
    [[3, 2, 3], 8, 2], // more units than pixels
  ])("loops of %s in %d units and blocks of %d pixels visit every element once", (loops, units, block) =>
    check(["vector", "repeat", "vector"], "vector", loops, units, block),
  );
});

describe("a store on an operand", () => {
  it("sees the old values of its own element", () => {
    const library = new FusedKernels();
    // Momentum and weight in place: m = 0.5 m + g, w = w - 0.25 m.
    const kernel = library.nameOf({
      ...{ operands: ["vector", "vector", "vector"], scalars: 2, sums: [] },
      nodes: [
        { name: "mul", args: [{ operand: 0 }, { scalar: 0 }] },
        { name: "add", args: [{ node: 0 }, { operand: 1 }] },
        { name: "mul", args: [{ node: 1 }, { scalar: 1 }] },
        { name: "sub", args: [{ operand: 2 }, { node: 2 }] },
      ],
      stores: [
        { access: "vector", value: { node: 1 } },
        { access: "vector", value: { node: 3 } },
      ],
    });
    const n = 23;
    const [m, g, w] = [normals(n), normals(n), normals(n)];
    const at = (i: number) => DATA + 4 * n * i;
    for (const [i, x] of [m, g, w].entries()) floats.set(x, at(i) / 4);
    const accesses = [0, 1, 2, 0, 2].map((i) => ({ address: at(i), strides: [0, 0, 4] }));
    runPointwise(step(kernel, { scalars: [0.5, 0.25], loops: [1, 1, n], accesses }), machines(library, 1)[0]!);
    const next = m.map((x, i) => Math.fround(0.5 * x) + g[i]!);
    expect(floats.slice(at(0) / 4, at(0) / 4 + n)).toEqual(next);
    expect(floats.slice(at(2) / 4, at(2) / 4 + n)).toEqual(w.map((x, i) => x - Math.fround(0.25 * next[i]!)));
  });
});

describe("the library", () => {
  const constant = (x: number): Expression => ({
    ...{ operands: [], scalars: 0, nodes: [], stores: [{ access: "vector", value: { constant: x } }], sums: [] },
  });
  it("names equal expressions alike, and numbers that JSON confuses apart", () => {
    const library = new FusedKernels();
    const numbers = [0, -0, 1, Infinity, -Infinity, Number.NaN];
    const names = numbers.map((x) => library.nameOf(constant(x)));
    expect(names).toEqual(["fused0", "fused1", "fused2", "fused3", "fused4", "fused5"]);
    expect(numbers.map((x) => library.nameOf(constant(x)))).toEqual(names);
  });
});
