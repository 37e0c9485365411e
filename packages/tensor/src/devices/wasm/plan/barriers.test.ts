import fc from "fast-check";
import { expect, test } from "vitest";
import { type Access, barriersBefore, type Range } from "./barriers.ts";

const range = fc
  .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 8 }))
  .map(([start, bytes]): Range => [start, start + bytes]);
const access: fc.Arbitrary<Access> = fc.record({
  reads: fc.array(range, { maxLength: 3 }),
  writes: fc.array(range, { maxLength: 2 }),
  serial: fc.boolean(),
});
const program = fc.array(access, { maxLength: 25 });

const overlap = ([a, b]: Range, [c, d]: Range) => Math.max(a, c) < Math.min(b, d);
const meet = (a: readonly Range[], b: readonly Range[]) => a.some((x) => b.some((y) => overlap(x, y)));
const conflict = (a: Access, b: Access) =>
  meet(a.writes, b.writes) || meet(a.writes, b.reads) || meet(a.reads, b.writes);

/**
 * Lets threads take their steps in the order that `choices` says, every step in two halves, and tells whether two steps
 * that conflict were ever at work at the same time or the later one first.
 */
function isOrdered(
  steps: readonly Access[],
  { barriers, threads, choices }: { barriers: readonly boolean[]; threads: number; choices: readonly number[] },
): boolean {
  const begun = steps.map(() => new Set<number>());
  const done = steps.map(() => new Set<number>());
  const workers = (step: Access) => (step.serial ? [0] : Array.from({ length: threads }, (_, t) => t));
  const at = Array.from({ length: threads }, () => 0); // halves of steps
  const mayGo = (t: number) => {
    const step = at[t]! >> 1;
    if (step >= steps.length) return false;
    if (at[t]! % 2 === 1 || !barriers[step]) return true;
    return at.every((halves) => halves >> 1 >= step);
  };
  for (let turn = 0; ; turn++) {
    const ready = at.map((_, t) => t).filter(mayGo);
    if (ready.length === 0) return true;
    const t = ready[(choices[turn % choices.length] ?? 0) % ready.length]!;
    const i = at[t]! >> 1;
    const isBegin = at[t]! % 2 === 0;
    at[t]!++;
    const step = steps[i]!;
    if (step.serial && t !== 0) continue;
    (isBegin ? begun : done)[i]!.add(t);
    if (!isBegin) continue;
    for (const [j, other] of steps.entries()) {
      if (j === i || !conflict(step, other)) continue;
      if (j < i && done[j]!.size < workers(other).length) return false;
      if (j > i && begun[j]!.size > 0) return false;
    }
  }
}

test("steps that conflict keep their order however the threads run", () => {
  const choices = fc.array(fc.nat(5), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(program, choices, fc.constantFrom(1, 2, 3), (steps, order, threads) => {
      expect(isOrdered(steps, { barriers: barriersBefore(steps), threads, choices: order })).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test("without any one of the barriers some order of two threads goes wrong", () => {
  // One thread runs ahead as far as barriers let it: the other way round shows what the first way does not.
  const orders = [[0], [1]];
  fc.assert(
    fc.property(program, (steps) => {
      const barriers = barriersBefore(steps);
      for (const [i, needed] of barriers.entries()) {
        if (!needed) continue;
        const fewer = barriers.map((b, j) => b && j !== i);
        expect(orders.every((choices) => isOrdered(steps, { barriers: fewer, threads: 2, choices }))).toBe(false);
      }
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ["writing, then reading", [], [[0, 8]], [[4, 12]], [], true],
  ["reading, then writing", [[0, 8]], [], [], [[7, 8]], true],
  ["writing twice", [], [[0, 8]], [], [[0, 8]], true],
  ["reading twice", [[0, 8]], [], [[0, 8]], [], false],
  ["neighbours", [], [[0, 8]], [[8, 16]], [[16, 24]], false],
] satisfies [string, Range[], Range[], Range[], Range[], boolean][])(
  "%s",
  (_, reads, writes, nextReads, nextWrites, needed) => {
    const plan = (first: boolean, second: boolean) =>
      barriersBefore([
        { reads, writes, serial: first },
        { reads: nextReads, writes: nextWrites, serial: second },
      ]);
    expect(plan(false, false)).toEqual([false, needed]);
    expect(plan(true, false)).toEqual([false, needed]);
    expect(plan(false, true)).toEqual([false, needed]);
    expect(plan(true, true)).toEqual([false, false]);
  },
);
