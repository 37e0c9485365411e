// Fusion: programs before, loops after.
import { describe, expect, test } from "vitest";
import { trace } from "../compile.ts";
import {
  add,
  conv2d,
  exp,
  full,
  matmul,
  mul,
  neg,
  permute,
  sigmoid,
  silu,
  sqrt,
  sub,
  sum,
  type Tensor,
  Variable,
  varMean,
} from "../index.ts";
import { showShape } from "../shape.ts";
import { checkItems } from "./fuse.cases.ts";
import { type FuseOptions, fuse, type Item, isGroup, MAX_LEAVES } from "./fuse.ts";
import { hoist } from "./hoist.ts";
import { optimize } from "./optimize.ts";
import type { Program } from "./program.ts";

const layouts: FuseOptions = {
  layout: (t) => (t.rank === 4 ? "channels last" : "row-major"),
  innermost: (t) => (t.rank === 4 ? 1 : t.rank - 1),
};
const program = (fn: (...x: Tensor[]) => Tensor | Record<string, Tensor>, ...shapes: number[][]): Program =>
  optimize(
    trace(
      fn,
      shapes.map((shape) => full(shape, 1)),
    ).program,
  );

/** Primitives of a group, then what it stores; other equations by name. */
function show(items: readonly Item[]): string[] {
  return items.map((item) => {
    if (!isGroup(item)) return item.name;
    const names = [...item.equations, ...item.reductions].map((e) => e.name).join(" ");
    const stored = item.stores.length ? ` -> ${item.stores.length}` : "";
    return `${showShape(item.shape)} {${names}}${stored}`;
  });
}
function fused(p: Program, options: FuseOptions = layouts): string[] {
  const items = fuse(p, options);
  checkItems(p, items);
  return show(items);
}
const map = [2, 8, 4, 4];

describe("fuse", () => {
  test("a chain is one loop that stores its end", () => {
    expect(fused(program((x) => exp(neg(mul(x!, 2))), [6]))).toEqual(["[6] {mul neg exp} -> 1"]);
  });

  test("what a kernel reads lies in memory, cheap values are recomputed after it", () => {
    const p = program(
      (x, y) => {
        const z = add(x!, y!);
        return mul(matmul(neg(z), y!), z);
      },
      [4, 4],
      [4, 4],
    );
    expect(fused(p)).toEqual(["[4, 4] {add neg} -> 1", "matmul", "[4, 4] {add mul} -> 1"]);
  });

  test("a dear value that is used again soon is stored, one used late is computed again", () => {
    const p = program(
      (x) => {
        const z = exp(x!);
        return add(matmul(neg(z), x!), z);
      },
      [4, 4],
    );
    expect(fused(p)).toEqual(["[4, 4] {exp neg} -> 2", "matmul", "[4, 4] {add} -> 1"]);
    expect(fused(p, { ...layouts, shortLife: 0 })).toEqual([
      "[4, 4] {exp neg} -> 1",
      "matmul",
      "[4, 4] {exp add} -> 1",
    ]);
  });

  test("normalisation with an activation is two loops around the small values, whatever is added behind", () => {
    const p = program(
      (x, w, scale, rest) => {
        const y = conv2d(x!, w!, { padding: 1 });
        const [v, m] = varMean(y, [0, 2, 3], { keepdim: true });
        const a = mul(scale!, sqrt(v));
        return add(silu(add(mul(y, a), sub(scale!, mul(m, a)))), rest!);
      },
      map,
      [8, 8, 3, 3],
      [1, 8, 1, 1],
      map,
    );
    expect(fused(p)).toEqual([
      "conv2d",
      "[2, 8, 4, 4] {varMean}",
      "[1, 8, 1, 1] {sqrt mul mul sub} -> 2",
      "expand",
      "expand",
      "[2, 8, 4, 4] {mul add sigmoid mul add} -> 1",
    ]);
  });

  test("sums that keep the innermost axis run in the loop; axes of size 1 count as summed", () => {
    const total = (axes: number[]) => (x: Tensor | undefined) => sum(mul(x!, 2), axes, { keepdim: true });
    expect(fused(program(total([0, 2, 3]), map))).toEqual(["[2, 8, 4, 4] {mul sum}"]);
    expect(fused(program(total([2, 3]), [1, 8, 4, 4]))).toEqual(["[1, 8, 4, 4] {mul sum}"]);
    expect(fused(program(total([2, 3]), map))).toEqual(["[2, 8, 4, 4] {mul} -> 1", "sum"]);
    expect(fused(program(total([0, 1, 2]), map))).toEqual(["[2, 8, 4, 4] {mul} -> 1", "sum"]);
  });

  test("sums that keep the outermost axis run in the loop if it is long, by themselves or with others of their kind", () => {
    const rows = (n: number) => program((x) => sum(mul(x!, x!), [1], { keepdim: true }), [n, 6]);
    expect(fused(rows(16))).toEqual(["[16, 6] {mul sum}"]);
    expect(fused(rows(15))).toEqual(["[15, 6] {mul} -> 1", "sum"]);
    const both = program((x) => ({ rows: sum(mul(x!, 2), [1]), again: sum(x!, [1]), columns: sum(x!, [0]) }), [16, 6]);
    expect(fused(both).filter((item) => item.includes("sum"))).toEqual(["[16, 6] {mul sum sum}", "[16, 6] {sum}"]);
  });

  test("what is assigned is made behind the last look at what it replaces", () => {
    const w = new Variable(full([4, 4], 1));
    const p = program(
      (x) => {
        const gradient = matmul(x!, x!);
        const total = sum(mul(gradient, 2), [0]);
        const y = matmul(x!, permute(w.value, [1, 0]));
        w.assign(sub(w.value, gradient));
        return { total, y };
      },
      [4, 4],
    );
    expect(fused(p)).toEqual(["permute", "matmul", "[4, 4] {mul sum}", "reshape", "matmul", "[4, 4] {sub} -> 1"]);
  });

  test("a variance is taken of what lies in memory before its loop begins", () => {
    const p = program((x) => varMean(neg(x!), [0, 2, 3], { keepdim: true })[0], map);
    expect(fused(p)).toEqual(["[2, 8, 4, 4] {neg} -> 1", "[2, 8, 4, 4] {varMean}"]);
  });

  test("a loop that waits for a later value starts a new group", () => {
    const p = program((x, y) => ({ a: neg(x!), b: add(matmul(x!, y!), x!), c: exp(y!) }), [4, 4], [4, 4]);
    expect(fused(p)).toEqual(["[4, 4] {neg} -> 1", "matmul", "[4, 4] {add exp} -> 2"]);
  });

  test("other shapes, other layouts and hoisted equations stay apart", () => {
    const w = new Variable(full([6], 2));
    const p = program((x, y) => ({ a: mul(x!, exp(w.value)), b: neg(x!), c: neg(y!) }), [6], [3]);
    const hoisted = new Set(hoist(p).before);
    expect(fused(p, { ...layouts, hoisted: (e) => hoisted.has(e) })).toEqual([
      "[6] {exp} -> 1",
      "[6] {mul neg} -> 2",
      "[3] {neg} -> 1",
    ]);
  });

  test("views stand right behind what they look at", () => {
    const p = program((x, y) => ({ a: neg(x!), b: matmul(x!, y!), c: add(permute(x!, [1, 0]), y!) }), [4, 4], [4, 4]);
    expect(fused(p)).toEqual(["permute", "[4, 4] {neg add} -> 2", "matmul"]);
  });

  test("wide sums are cut so that no loop reads more than its share", () => {
    const p = program((...xs) => xs.reduce((a, b) => add(a, b)), ...Array.from({ length: 40 }, () => [6]));
    const groups = fuse(p, layouts).filter(isGroup);
    checkItems(p, groups);
    expect(groups.length).toBe(2);
    for (const { leaves } of groups) expect(leaves.length).toBeLessThanOrEqual(MAX_LEAVES);
  });

  test("long chains used again and again do not grow the work", () => {
    // Recomputed from x at each use, the n-th value alone would take n equations.
    const p = program(
      (x) => {
        const values = [x!];
        for (let i = 0; i < 2000; i++) values.push(mul(add(values.at(-1)!, values.at(-3) ?? x!), sigmoid(x!)));
        return { last: values.at(-1)!, some: matmul(values[1000]!, values[2000]!) };
      },
      [4, 4],
    );
    const items = fuse(p, layouts);
    checkItems(p, items);
    const work = items.filter(isGroup).reduce((n, g) => n + g.equations.length, 0);
    expect(work).toBeLessThan(3 * p.equations.length);
  });
});
