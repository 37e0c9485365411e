// Steps along one axis with indices: gather, its adjoint, argsort and running sums, in plain JavaScript.
import { OpError } from "../../../errors.ts";
import type { Loop } from "../plan/loops.ts";
import { type Machine, share } from "./machine.ts";
import { eachTurn, turnsOf } from "./walk.ts";

/** Float indices of first elements, floats per turn, in the order of each step's places. */
interface Along<Op extends string> {
  readonly op: Op;
  readonly at: readonly number[];
  /** Loops over everything but the axis. */
  readonly loops: readonly Loop[];
  /** Floats along the axis. */
  readonly axis: readonly number[];
}
/** Places [y, index, x]; `count` indices along the axis, each below `size`: one outside ends the run with an error. */
export interface GatherStep extends Along<"gather"> {
  readonly count: number;
  readonly size: number;
}
/** Places [x, index, y]: y[index] += x, in order; an index outside ends the run with an error. */
export interface ScatterAddStep extends Along<"scatterAdd"> {
  readonly count: number;
  readonly size: number;
}
/** Places [x, y]. */
export interface ArgsortStep extends Along<"argsort"> {
  readonly size: number;
  readonly descending: boolean;
}
/** Places [x, y]; a reversed sum starts at the end and has negative steps. */
export interface CumsumStep extends Along<"cumsum"> {
  readonly size: number;
}

const outside = (op: string, index: number, size: number): OpError =>
  new OpError(op, `an index in 0..${size - 1}`, `${index}`);

export function runGather({ at, loops, axis, count, size }: GatherStep, machine: Machine): void {
  const { floats } = machine;
  const [toY, toIndex, toX] = axis as [number, number, number];
  eachLine(at, loops, machine, ([y, index, x]) => {
    for (let i = 0; i < count; i++) {
      const k = floats[index! + i * toIndex]!;
      if (!(k >= 0 && k < size)) throw outside("gather", k, size);
      floats[y! + i * toY] = floats[x! + k * toX]!;
    }
  });
}

/** Threads share the lines, never the elements of one, so that the order of additions is fixed. */
export function runScatterAdd({ at, loops, axis, count, size }: ScatterAddStep, machine: Machine): void {
  const { floats } = machine;
  const [toX, toIndex, toY] = axis as [number, number, number];
  eachLine(at, loops, machine, ([x, index, y]) => {
    for (let k = 0; k < size; k++) floats[y! + k * toY] = 0;
    for (let i = 0; i < count; i++) {
      const k = floats[index! + i * toIndex]!;
      if (!(k >= 0 && k < size)) throw outside("scatterAdd", k, size);
      floats[y! + k * toY] = floats[y! + k * toY]! + floats[x! + i * toX]!;
    }
  });
}

/** Equal elements keep their order, NaN counts as the largest. */
export function runArgsort({ at, loops, axis, size, descending }: ArgsortStep, machine: Machine): void {
  const { floats } = machine;
  const [toX, toY] = axis as [number, number];
  const keys = new Float32Array(size);
  const order = new Int32Array(size);
  const ascending = (i: number, j: number) => compare(keys[i]!, keys[j]!) || i - j;
  const falling = (i: number, j: number) => compare(keys[j]!, keys[i]!) || i - j;
  eachLine(at, loops, machine, ([x, y]) => {
    for (let k = 0; k < size; k++) {
      keys[k] = floats[x! + k * toX]!;
      order[k] = k;
    }
    order.sort(descending ? falling : ascending);
    for (let k = 0; k < size; k++) floats[y! + k * toY] = order[k]!;
  });
}
function compare(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

export function runCumsum({ at, loops, axis, size }: CumsumStep, machine: Machine): void {
  const { floats } = machine;
  const [toX, toY] = axis as [number, number];
  eachLine(at, loops, machine, ([x, y]) => {
    let sum = 0;
    for (let k = 0; k < size; k++) {
      sum += floats[x! + k * toX]!;
      floats[y! + k * toY] = sum;
    }
  });
}

/** Visits this thread's lines with the places of their first elements. */
function eachLine(
  first: readonly number[],
  loops: readonly Loop[],
  machine: Machine,
  visit: (places: readonly number[]) => void,
): void {
  const places = [...first];
  eachTurn(loops, share(turnsOf(loops), machine), (at) => {
    for (let p = 0; p < places.length; p++) places[p] = first[p]! + at[p]!;
    visit(places);
  });
}
