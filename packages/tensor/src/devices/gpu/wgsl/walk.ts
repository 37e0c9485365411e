// Long reductions: a group of threads per result, or several where results are few, walks side by side and adds up in shared
// memory.
import { sizeOf } from "../../../shape.ts";
import type { Computation } from "../computation.ts";
import { wgsl } from "../language.ts";
import { collapse } from "../place.ts";
import { coordinates, sum, whole } from "./text.ts";

/** Values that make a group worth while; a longer walk has more threads, and a very long one more groups. */
const [LEAST, LONG, BLOCK] = [128, 1024, 4096];
/** Results that keep a device busy without groups. */
const MANY = 65536;
/** Groups that keep it busy. */
const BUSY = 512;
const MAX_GROUPS = 65535;

export interface Walk {
  readonly cells: number;
  readonly total: number;
  /** Groups per result, and the values that each walks over. */
  readonly blocks: number;
  readonly length: number;
  readonly threads: number;
  readonly groups: readonly [number, number, number];
  /** Lines that name a group's `cell` and `block`, and end those beyond the last. */
  readonly head: readonly string[];
  /** A loop over the group's values: lines that name the value, then `body` over its name. */
  loop(body: (value: string) => readonly string[]): string[];
}
/** How to walk over axes of a value, or nothing where a thread per result is as good. */
export function walkOf(
  { leaves, shape, compute }: Computation,
  axes: readonly number[],
  names: readonly string[],
): Walk | undefined {
  const pick = <T>(list: readonly T[], reduced: boolean) => list.filter((_, d) => axes.includes(d) === reduced);
  const kept = collapse(
    pick(shape, false),
    leaves.map(({ stride }) => pick(stride, false)),
  );
  const walk = collapse(
    pick(shape, true),
    leaves.map(({ stride }) => pick(stride, true)),
  );
  const [cells, total] = [sizeOf(kept.dims), sizeOf(walk.dims)];
  if (total < LEAST || cells >= MANY || cells === 0) return undefined;
  const blocks = Math.min(Math.ceil(total / BLOCK), Math.ceil(BUSY / cells));
  const length = Math.ceil(total / blocks);
  const across = Math.min(cells * blocks, MAX_GROUPS);
  const at = coordinates("cell", kept.dims, "k");
  const steps = coordinates("p", walk.dims, "r");
  const threads = length > LONG ? 256 : 64;
  return {
    ...{ cells, total, blocks, length, threads, groups: [across, Math.ceil((cells * blocks) / across), 1] },
    head: [
      `let unit = group.x + group.y * ${whole(across)};`,
      `if (unit >= ${whole(cells * blocks)}) { return; }`,
      `let cell = unit / ${whole(blocks)};`,
      `let start = unit % ${whole(blocks)} * ${whole(length)};`,
      `let end = min(start + ${whole(length)}, ${whole(total)});`,
      ...at.lines,
    ],
    loop(body) {
      const loads = leaves.map(({ offset }, i) => {
        const index = sum(offset, [...kept.strides[i]!, ...walk.strides[i]!], [...at.at, ...steps.at]);
        return `let x${i} = ${names[i]}[${index}];`;
      });
      const { lines, result } = compute(
        leaves.map((_, i) => `x${i}`),
        wgsl,
      );
      return [
        `for (var p = start + id; p < end; p += ${whole(threads)}) {`,
        ...[...steps.lines, ...loads, ...lines, `let x = ${result};`],
        ...body("x"),
        "}",
      ];
    },
  };
}
/** The first line of a kernel that walks. */
export const entry = ({ threads }: Pick<Walk, "threads">): string[] => [
  `var<workgroup> shared_: array<f32, ${threads}>;`,
  `@compute @workgroup_size(${threads})`,
  "fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {",
];
/** Lines that combine `s` of all threads; every one has the result as `shared_[0]`. */
export const gathered = ({ threads }: Pick<Walk, "threads">, combine: (a: string, b: string) => string): string[] => [
  "shared_[id] = s;",
  "workgroupBarrier();",
  `for (var n = ${whole(threads / 2)}; n > 0u; n /= 2u) {`,
  `if (id < n) { shared_[id] = ${combine("shared_[id]", "shared_[id + n]")}; }`,
  "workgroupBarrier();",
  "}",
];
