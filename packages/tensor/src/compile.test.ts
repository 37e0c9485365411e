// compile: programs, passes before and after, Variables, reports, memory.
import { expect, test } from "vitest";
import { trace } from "./compile.ts";
import { ArrayPool } from "./devices/cpu/pool.ts";
import {
  add,
  compile,
  concat,
  conv2d,
  exp,
  fromData,
  full,
  hostCall,
  mul,
  neg,
  slice,
  split,
  sum,
  type Tensor,
  tensor,
  Variable,
} from "./index.ts";
import { commonSubexpressions } from "./passes/common-subexpressions.ts";
import { deadCode } from "./passes/dead-code.ts";
import { hoist } from "./passes/hoist.ts";
import { printProgram } from "./passes/print.ts";
import { simplify } from "./passes/simplify/simplify.ts";

const x = tensor([
  [1, 2],
  [3, 4],
]);

test("a compiled function gives what the plain one gives, once per signature", async () => {
  let traced = 0;
  const f = compile((a: Tensor, b: Tensor) => {
    traced++;
    return { y: add(mul(a, 2), b), z: sum(a) };
  });
  const out = await f(x, tensor([10, 20]));
  expect(out.y.toArray()).toEqual([
    [12, 24],
    [16, 28],
  ]);
  expect(out.z.item()).toBe(10);
  await f(x, tensor([1, 1]));
  expect(traced).toBe(1);
  await f(tensor([[1, 2]]), tensor([1, 1]));
  expect(traced).toBe(2);
});

test("assignments of one program happen at once", async () => {
  const a = new Variable(tensor([1]));
  const b = new Variable(tensor([2]));
  const swap = compile(() => {
    const old = a.value;
    a.assign(b.value);
    b.assign(old);
    return {};
  });
  await swap();
  expect([a.value.item(), b.value.item()]).toEqual([2, 1]);
});

test("a symbol used after its trace throws", async () => {
  let leaked: Tensor | undefined;
  await compile((a: Tensor) => {
    leaked = a;
    return mul(a, 2);
  })(x);
  expect(() => exp(leaked!)).toThrow(
    "exp: expected a tensor or a symbol of the running trace, got a symbol of a finished trace",
  );
  await expect(compile((a: Tensor) => add(a, leaked!))(x)).rejects.toThrow("a symbol of a finished trace");
});

test("dead code goes", () => {
  const { program } = trace(
    (a: Tensor) => {
      exp(a);
      return neg(a);
    },
    [x],
  );
  expect(printProgram(program)).toBe("%0[2, 2] = exp x0\n%1[2, 2] = neg x0\nreturn %1");
  expect(printProgram(deadCode(program))).toBe("%0[2, 2] = neg x0\nreturn %0");
});

test("equal equations are computed once", () => {
  const { program } = trace((a: Tensor) => add(exp(a), exp(a)), [x]);
  expect(printProgram(commonSubexpressions(program))).toBe("%0[2, 2] = exp x0\n%1[2, 2] = add %0 %0\nreturn %1");
});

test("simplify: identities, reshape chains, concat of a split, sum of a product", () => {
  const show = (f: (a: Tensor) => Tensor) => printProgram(deadCode(simplify(trace(f, [x]).program)));
  expect(show((a) => add(mul(a, 1), 0))).toBe("return x0");
  expect(show((a) => neg(neg(a)))).toBe("return x0");
  expect(show((a) => concat(split(a, 1, 1), 1))).toBe("return x0");
  const v = tensor([[2], [3]]);
  const { program } = trace((a: Tensor, b: Tensor) => sum(mul(a, b), 1, { keepdim: true }), [x, v]);
  expect(printProgram(deadCode(simplify(program)))).toBe(
    '%0[2, 1] = sum x0 {"axes":[1]}\n%1[2, 1] = mul %0 x1\nreturn %1',
  );
});

test("what depends on Variables alone is hoisted and runs again only after a change", async () => {
  const w = new Variable(full([1, 1, 1, 1], 2));
  const program = trace((a: Tensor) => conv2d(a, exp(w.value)), [full([1, 1, 2, 2], 1)]).program;
  expect(hoist(program).before.map((e) => e.name)).toEqual(["exp"]);
  const f = compile((a: Tensor) => conv2d(a, mul(w.value, 3)));
  const one = full([1, 1, 1, 1], 1);
  expect((await f(one)).item()).toBe(6);
  expect(f.report().hoisted.map((e) => e.name)).toEqual(["mul"]);
  w.assign(full([1, 1, 1, 1], 5));
  expect((await f(one)).item()).toBe(15);
});

test("a report counts FLOPs, bytes and the peak of what is alive at once", async () => {
  const f = compile((a: Tensor) => exp(exp(exp(a))));
  await f(full([256], 0));
  expect(f.report()).toMatchObject({ flops: 768, bytes: 6 * 1024, peakBytes: 2 * 1024 });
});

test("hostCall runs TypeScript inside a program and checks what it returns", async () => {
  const reversed = (t: Tensor) =>
    hostCall([t], (c) => [tensor([...c.toTypedArray()].reverse(), { dtype: "float32" })], [
      { shape: [2], dtype: "float32" },
    ])[0]!;
  expect((await compile((a: Tensor) => mul(reversed(a), 2))(tensor([1, 2]))).toArray()).toEqual([4, 2]);
  expect(() => hostCall([x], () => [x], [{ shape: [1], dtype: "float32" }])).toThrow(
    "hostCall: expected the declared outputs [1] float32",
  );
});

test("memory is used again within a program, never that of results or Variables", async () => {
  const last = new Variable(full([4], 0));
  const f = compile((a: Tensor) => {
    const y = exp(mul(exp(neg(a)), 2));
    last.assign(mul(y, 3));
    // A view of a value that is dead otherwise.
    return { y, part: slice(mul(y, 5), 0, 1, 3) };
  });
  const run = async (value: number) => {
    const out = await f(full([4], value));
    return { ...out, variable: last.value };
  };
  const first = await run(0);
  const shown = Object.values(first).map(String);
  await run(1);
  await run(2);
  expect(Object.values(first).map(String)).toEqual(shown);
});

test("the pool of the cpu device gives memory out again when its last value has died", () => {
  const pool = new ArrayPool();
  const value = fromData(pool.allocate("float32", 6), [6]);
  const view = fromData(value.view.data, [2, 3]);
  for (const t of [value, view]) pool.retain(t);
  pool.release(value);
  expect(pool.allocate("float32", 6)).not.toBe(value.view.data);
  pool.release(view);
  expect(pool.allocate("float64", 6)).not.toBe(value.view.data);
  expect(pool.allocate("float32", 6)).toBe(value.view.data);
});
