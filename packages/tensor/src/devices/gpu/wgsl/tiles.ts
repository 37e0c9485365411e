// The product of two matrices whose elements are looked up on the way, as every dense kernel here is one: a group of threads
// makes a tile of the result from strips of both operands in its shared memory, each thread 4 x 4 elements of it.
import type { Builder } from "../builder.ts";
import type { Root } from "../place.ts";
import { below4, bindings, whole } from "./text.ts";

/** A matrix by its elements, four neighbours across the terms of the sum at once. */
export interface Operand {
  /** What neighbouring threads read: its next cells (rows of the left matrix, columns of the right), or next terms. */
  readonly order: "cells" | "terms";
  /** What is worked out once for four cells, each a field of four: `lines` make them from `cell: vec4<u32>` and `z: u32`. */
  readonly fields: readonly string[];
  readonly lines: readonly string[];
  /** From `at.field` and `term: u32`: lines, the four indices, and a `vec4<bool>` that says which of them are no zeros. */
  readonly load: { readonly lines: readonly string[]; readonly index: string; readonly inside?: string };
}
export interface Product {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly terms: number;
  /** Products side by side, and into how many sums each is cut: `z` counts both, the sums fastest. */
  readonly depth: number;
  readonly parts?: number;
  readonly left: Operand;
  readonly right: Operand;
  /** Where the result's elements go: `base` plus `row * perRow` plus the index of four columns, made by `lines` from `column`. */
  readonly store: {
    readonly base: string;
    readonly perRow: number;
    readonly lines: readonly string[];
    readonly index: string;
    /** Which of the four are in the result. */
    readonly inside?: string;
  };
  readonly reads: readonly [Root, Root];
  readonly result: Root;
}
/** Terms that lie in shared memory at once. */
const DEPTH = 16;
const FOUR = [0, 1, 2, 3] as const;
/** Groups along an axis at most (WebGPU). */
const MAX_GROUPS = 65535;

/** Threads along a side of the tile, four elements each: as few as cover it. */
const along = (n: number, most: number): number => {
  let threads = 4;
  while (threads < most && threads * 4 < n) threads *= 2;
  return threads;
};
/** The shape of a tile in threads; 16 KiB of shared memory hold its strips. */
export function tileOf(rows: number, columns: number): { readonly down: number; readonly across: number } {
  const down = along(rows, 16);
  return { down, across: along(columns, down === 16 ? 16 : 32) };
}

/** Puts the launch into the plan, unless the device has no room for so many groups. */
export function productLaunch(b: Builder, p: Product): boolean {
  const { down, across } = tileOf(p.rows, p.columns);
  const groups = [
    Math.ceil(p.columns / (4 * across)),
    Math.ceil(p.rows / (4 * down)),
    p.depth * (p.parts ?? 1),
  ] as const;
  if (groups.some((n) => n > MAX_GROUPS)) return false;
  b.tuned({ name: p.name, text: productText(p, down, across), groups, reads: p.reads, writes: [p.result] });
  return true;
}

function productText(
  { rows, columns, terms, parts = 1, left, right, store }: Product,
  down: number,
  across: number,
): string {
  const threads = down * across;
  const length = DEPTH * Math.ceil(terms / DEPTH / parts);
  const ragged = terms % DEPTH !== 0;
  const strips = [
    { operand: left, name: "left", width: down },
    { operand: right, name: "right", width: across },
  ].map(({ operand, name, width }) => {
    const turns = Math.max(1, (DEPTH * width) / threads);
    const cells = operand.order === "cells";
    // Where a thread's quads lie: cell and term of the first, and what the next ones add.
    const [quad, term] = cells
      ? [`id % ${whole(width)}`, `id / ${whole(width)}`]
      : [`id / ${DEPTH}u`, `id % ${DEPTH}u`];
    const list = Array.from({ length: turns }, (_, i) => ({
      quad: cells ? quad : `${quad} + ${whole((i * threads) / DEPTH)}`,
      term: cells ? `${term} + ${whole((i * threads) / width)}` : term,
      at: cells ? `${name}At0` : `${name}At${i}`,
    }));
    const guard = DEPTH * width < threads ? [`if (id < ${whole(DEPTH * width)}) {`, "}"] : ["", ""];
    const place = name === "left" ? "group.y" : "group.x";
    const starts = (cells ? list.slice(0, 1) : list).map(
      (e) => `let ${e.at} = ${name}Cells((${place} * ${whole(width)} + ${e.quad}) * 4u + vec4(0u, 1u, 2u, 3u), z);`,
    );
    const fill = list.map(
      (e) => `${name}[(${e.term}) * ${whole(width + 1)} + ${e.quad}] = ${name}Load(${e.at}, first + ${e.term});`,
    );
    return {
      starts,
      fill: [guard[0]!, ...fill, guard[1]!],
      functions: operandText(operand, name, ragged ? terms : undefined),
    };
  });
  return [
    ...bindings(2, 1),
    ...strips.flatMap(({ functions }) => functions),
    // One more than the tile is wide, so that threads side by side write to different banks.
    `var<workgroup> left: array<vec4<f32>, ${DEPTH * (down + 1)}>;`,
    `var<workgroup> right: array<vec4<f32>, ${DEPTH * (across + 1)}>;`,
    `@compute @workgroup_size(${threads})`,
    "fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {",
    `var z = group.z / ${whole(parts)};`,
    ...strips.flatMap(({ starts }) => starts),
    ...FOUR.map((i) => `var s${i} = vec4<f32>();`),
    `let start = (group.z % ${whole(parts)}) * ${whole(length)};`,
    `for (var first = start; first < min(start + ${whole(length)}, ${whole(terms)}); first += ${DEPTH}u) {`,
    ...strips.flatMap(({ fill }) => fill),
    "workgroupBarrier();",
    `for (var t = 0u; t < ${DEPTH}u; t++) {`,
    `let l = left[t * ${whole(down + 1)} + id / ${whole(across)}];`,
    `let r = right[t * ${whole(across + 1)} + id % ${whole(across)}];`,
    ...FOUR.map((i) => `s${i} = fma(vec4(l[${i}]), r, s${i});`),
    "}",
    "workgroupBarrier();",
    "}",
    "z = group.z;",
    `let row = (group.y * ${whole(down)} + id / ${whole(across)}) * 4u;`,
    `let column = (group.x * ${whole(across)} + id % ${whole(across)}) * 4u + vec4(0u, 1u, 2u, 3u);`,
    ...store.lines,
    `let index = ${store.base} + row * ${whole(store.perRow)} + ${store.index};`,
    `let inside = ${[below4("column", columns), ...(store.inside === undefined ? [] : [store.inside])].join(" & ")};`,
    ...FOUR.flatMap((i) => [
      `if (row + ${i}u < ${whole(rows)}) {`,
      ...FOUR.map((j) => `if (inside[${j}]) { y0[index[${j}] + ${whole(i * store.perRow)}] = s${i}[${j}]; }`),
      "}",
    ]),
    "}",
  ]
    .filter((line) => line !== "")
    .join("\n");
}

/** The functions that look up four elements; terms from `end` on are zeros. */
function operandText({ fields, lines, load }: Operand, name: string, end: number | undefined): string[] {
  const type = `${name === "left" ? "Left" : "Right"}Cells`;
  const array = name === "left" ? "a0" : "a1";
  const conditions = [load.inside, end === undefined ? undefined : `vec4(term < ${whole(end)})`].filter(
    (c): c is string => c !== undefined,
  );
  const loaded = `vec4(${FOUR.map((i) => `${array}[index[${i}]]`).join(", ")})`;
  return [
    `struct ${type} { ${fields.map((field) => `${field}: vec4<u32>`).join(", ")} }`,
    `fn ${name}Cells(cell: vec4<u32>, z: u32) -> ${type} {`,
    ...lines,
    `return ${type}(${fields.map((field) => `vec4<u32>(${field})`).join(", ")});`,
    "}",
    `fn ${name}Load(at: ${type}, term: u32) -> vec4<f32> {`,
    ...load.lines,
    `let index = ${load.index};`,
    conditions.length ? `return select(vec4<f32>(), ${loaded}, ${conditions.join(" & ")});` : `return ${loaded};`,
    "}",
  ];
}
