// Reductions over any strides, in double. With many results threads share them; with few, the elements are cut into a
// fixed number of parts whose partial results a step of its own unites.
import type { FoldName } from "../kernels/reduce.ts";
import type { Loop } from "../plan/loops.ts";
import { type Machine, share } from "./machine.ts";
import { eachTurn, turnsOf } from "./walk.ts";

interface Results {
  readonly fold: FoldName;
  /** Byte addresses of the first element, the first result, and the first mean if the fold is `moments`. */
  readonly x: number;
  readonly y: number;
  readonly mean: number;
  /** Loops over the results, bytes of [x, y, mean] per turn; at least two. */
  readonly kept: readonly Loop[];
  /** Elements of a result. */
  readonly count: number;
  /** Byte address of partial results [part][accumulator][result] in float64, if there are several parts. */
  readonly partials: number;
  readonly parts: number;
}
export interface ReduceStep extends Results {
  readonly op: "reduce";
  /** Loops over the elements of a result, bytes of [x] per turn; at least two. */
  readonly reduced: readonly Loop[];
  /** The loop that is cut into parts. */
  readonly cut: number;
}
export interface ReduceEndStep extends Results {
  readonly op: "reduceEnd";
}

/** Bytes of a float64, and the upper half of the one that a fold starts with. */
const CELL = 8;
const START: Record<FoldName, number> = { sum: 0, max: 0xfff00000 | 0, min: 0x7ff00000, moments: 0 };
/** Results that are worked on at a time: their accumulators stay in the first-level cache. */
const BLOCK = 256;
/** Bytes of elements that are walked before the next results: lines of the cache that several results share stay there. */
const SPAN = 16 * 1024;
export const accumulators = (fold: FoldName): number => (fold === "moments" ? 2 : 1);

export function runReduce(step: ReduceStep, machine: Machine): void {
  const { kept, parts, fold, partials } = step;
  const cells = turnsOf(kept);
  if (parts > 1) {
    const plane = CELL * cells;
    const [first, last] = share(parts, machine);
    for (let part = first; part < last; part++) {
      const at = partials + part * accumulators(fold) * plane;
      start(machine, fold, at, accumulators(fold) * cells);
      eachRun(kept, [0, cells], ([x], cell, run) => {
        foldRun(step, machine, { x: step.x + x!, to: at + CELL * cell, plane, cells: run, part });
      });
    }
    return;
  }
  eachRun(kept, share(cells, machine), ([x, y, mean], _, run) => {
    const plane = CELL * run;
    start(machine, fold, machine.scratch, accumulators(fold) * run);
    foldRun(step, machine, { x: step.x + x!, to: machine.scratch, plane, cells: run, part: 0 });
    const from = { from: machine.scratch, unit: 0, units: 1, plane };
    endRun(step, machine, { ...from, x: step.x + x!, y: step.y + y!, mean: step.mean + mean!, cells: run });
  });
}

export function runReduceEnd(step: ReduceEndStep, machine: Machine): void {
  const cells = turnsOf(step.kept);
  const plane = CELL * cells;
  eachRun(step.kept, share(cells, machine), ([x, y, mean], cell, run) => {
    const from = { unit: accumulators(step.fold) * plane, units: step.parts, plane };
    const to = { x: step.x + x!, y: step.y + y!, mean: step.mean + mean!, cells: run };
    endRun(step, machine, { from: step.partials + CELL * cell, ...from, ...to });
  });
}

/** Visits the results [from, to) in runs along the innermost loop, at most a block long. */
function eachRun(
  kept: readonly Loop[],
  [from, to]: readonly [number, number],
  visit: (at: readonly number[], cell: number, cells: number) => void,
): void {
  const inner = kept.at(-1)!;
  const outer = kept.slice(0, -1);
  const at = inner.strides.map(() => 0);
  if (from >= to) return;
  eachTurn(outer, [Math.floor(from / inner.n), Math.ceil(to / inner.n)], (line, turn) => {
    const first = turn * inner.n;
    const end = Math.min(to, first + inner.n);
    for (let cell = Math.max(from, first); cell < end; cell += BLOCK) {
      for (let p = 0; p < at.length; p++) at[p] = line[p]! + (cell - first) * inner.strides[p]!;
      visit(at, cell, Math.min(BLOCK, end - cell));
    }
  });
}

function start({ integers }: Machine, fold: FoldName, at: number, count: number): void {
  if (START[fold] === 0) integers.fill(0, at / 4, at / 4 + 2 * count);
  else
    for (let i = at / 4; i < at / 4 + 2 * count; i += 2) {
      integers[i] = 0;
      integers[i + 1] = START[fold];
    }
}

interface Run {
  readonly x: number;
  readonly to: number;
  readonly plane: number;
  readonly cells: number;
  readonly part: number;
}
/** Folds one part of the elements into the accumulators of a run of results. */
function foldRun(step: ReduceStep, { kernels }: Machine, { x, to, plane, cells, part }: Run): void {
  const cell = step.kept.at(-1)!.strides[0]!;
  const loops = step.reduced.map((loop, i) => {
    if (i !== step.cut) return { ...loop, from: 0 };
    const from = Math.floor((loop.n * part) / step.parts);
    return { ...loop, from, n: Math.floor((loop.n * (part + 1)) / step.parts) - from };
  });
  if (loops.some(({ n }) => n === 0)) return;
  const begin = loops.reduce((at, { from, strides }) => at + from * strides[0]!, x);
  const [rows, inner] = [loops.at(-2)!, loops.at(-1)!];
  const [row, next] = [rows.strides[0]!, inner.strides[0]!];
  const side = cell === 4;
  const most = side ? Math.max(1, Math.floor(SPAN / Math.max(1, Math.abs(next)))) : inner.n;
  const outer = loops.slice(0, -2);
  const kernel = kernels[`${step.fold}${side ? "Columns" : "Cells"}`];
  eachTurn(outer, [0, turnsOf(outer)], (at) => {
    for (let i = 0; i < inner.n; i += most) {
      const from = begin + (at[0] ?? 0) + i * next;
      const n = Math.min(most, inner.n - i);
      kernel({ x: from, to, plane, shift: x, cells, rows: rows.n, row, n, step: next, cell });
    }
  });
}

interface End {
  readonly from: number;
  readonly unit: number;
  readonly units: number;
  readonly plane: number;
  readonly x: number;
  readonly y: number;
  readonly mean: number;
  readonly cells: number;
}
/** Unites the parts of a run of results and writes them. */
function endRun({ fold, kept, count }: Results, { kernels }: Machine, { x, ...run }: End): void {
  const [cell, yStep, meanStep] = kept.at(-1)!.strides as [number, number, number];
  kernels[`${fold}End`]({ ...run, shift: x, cell, yStep, meanStep, count });
}
