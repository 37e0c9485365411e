// Pointwise groups, copies and fills: loops over places of any strides, cut into units that threads share.
import type { Equation } from "../../../bind.ts";
import { type Group, keptAxis } from "../../../passes/fuse.ts";
import { uniform } from "../../../passes/program.ts";
import { rowMajor, type Shape, sizeOf } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import { LINE } from "../kernels/window.ts";
import { type Loop, loopsOver } from "../plan/loops.ts";
import { addressOf, expandPlace, type Place, slicePlace } from "../plan/place.ts";
import { TILE_ELEMENTS } from "../pointwise/emit.ts";
import type { Access, Expression, NodeName, Ref } from "../pointwise/expression.ts";
import type { Planner } from "./planner.ts";

interface Work {
  /** All operands and stores have this shape. */
  readonly shape: Shape;
  /** Strides that say in which order to walk. */
  readonly order: readonly number[];
  readonly operands: readonly Place[];
  readonly scalars: readonly number[];
  readonly nodes: Expression["nodes"];
  readonly stores: readonly { readonly place: Place; readonly value: Ref }[];
  /** One sum per index of the axis that is kept, the innermost or outermost one. */
  readonly sums: readonly Ref[];
  readonly kept?: number | undefined;
}
/** Partial sums [units][inner] of a group. */
interface Partials {
  readonly units: number;
  readonly inner: number;
  readonly places: readonly Place[];
}

/** Longer inner loops are cut, so that there are pieces to share and to keep in cache: into equal parts if they need not be short. */
const LONGEST_INNER = 2048;
const LEAST_INNER = 512;
/** Pieces of a group with sums; a number of their own, so that sums do not depend on the number of threads. */
const SUM_UNITS = 16;
const MOST_UNITS = 64;
/** Elements of a piece at least. */
const UNIT = 1024;
/** Elements of the innermost loop, and so partial sums, where rows are added up. */
const LONGEST_PART = 64;
const LEAST_PART = 8;
/** Bytes that one kernel call reads and writes: they stay in the second-level cache. */
const BLOCK_BYTES = 128 * 1024;
const LEAST_BLOCK = 16;
/** Elements below which waking other threads costs more than it saves. */
const SERIAL = 4096;
/** Floats of a vector, and of what the source of a copy needs side by side to be walked along. */
const VECTOR = 4;
const LEAST_ALONG = 4 * VECTOR;
/** Numbers that many expressions have in common; others are arguments, so that they do not make kernels. */
const COMMON = new Set([0, 1, -1, 2, 0.5]);

/** Appends the steps of a pointwise computation. */
function emit(planner: Planner, work: Work): Partials {
  const { shape, operands, stores, kept } = work;
  const walks = [
    work.order,
    ...(kept === undefined ? [] : [shape.map((_, axis) => (axis === kept ? 1 : 0))]),
    ...operands.map((p) => p.strides),
    ...stores.map(({ place }) => place.strides),
  ];
  const first = walks.length - operands.length - stores.length;
  const loops = loopsOver(shape, walks).map(({ n, strides }) => ({ n, strides: strides.slice(first) }));
  const inner = loops.at(-1)!;
  const outer = loops.slice(0, -1);
  const cut = (length: number): Loop[] => [
    { n: Math.floor(inner.n / length), strides: inner.strides.map((s) => s * length) },
    { ...inner, n: length },
  ];
  if (isRows(work))
    return emitLoops(planner, work, [...outer, ...cut(partOf(inner.n, LONGEST_PART, LEAST_PART) ?? inner.n)], 0);
  if (kept !== undefined || inner.n <= LONGEST_INNER) return emitLoops(planner, work, loops, 0);
  const length = partOf(inner.n, LONGEST_INNER, LEAST_INNER) ?? LONGEST_INNER;
  const partials = emitLoops(planner, work, [...outer, ...cut(length)], 0);
  const rest = inner.n % length;
  if (rest > 0) emitLoops(planner, work, [...outer, { ...inner, n: rest }], inner.n - rest);
  return partials;
}

/** Whether there are sums along the outermost axis: a unit's partial sums are then parts of one sum. */
const isRows = ({ order, shape, kept }: Work): boolean => kept !== undefined && kept !== innermostOf(order, shape);

/** The longest part that divides n, within limits. */
function partOf(n: number, longest: number, least: number): number | undefined {
  for (let length = Math.min(n, longest); length >= least; length--) if (n % length === 0) return length;
  return undefined;
}

/** `start`: turns of the innermost loop that come before. */
function emitLoops(planner: Planner, work: Work, given: readonly Loop[], start: number): Partials {
  const { shape, operands, stores, sums, kept, scalars, nodes } = work;
  const places = [...operands, ...stores.map(({ place }) => place)];
  const loops = [...given];
  while (loops.length < 3) loops.unshift({ n: 1, strides: places.map(() => 0) });
  const inner = loops.at(-1)!;
  const pixels = loops.slice(0, -1).reduce((n, loop) => n * loop.n, 1);
  const across = loops.at(-2)!;
  const tiled = inner.n % TILE_ELEMENTS === 0 && across.n > 1 && inner.strides.every((stride) => stride === 1);
  const access = (i: number): Access => {
    if (tiled) return i < operands.length && across.strides[i] === 0 ? "fixed" : "vector";
    return inner.n === 1 || inner.strides[i] === 1 ? "vector" : inner.strides[i] === 0 ? "repeat" : "strided";
  };
  const isApart = (i: number) => inner.strides[i] === 1 && across.strides[i]! >= inner.n + LINE / 4;
  const storeAccess = (i: number) => (access(i) === "vector" ? "vector" : "strided");
  const kernel = planner.kernels.nameOf({
    operands: operands.map((_, i) => access(i)),
    scalars: scalars.length,
    nodes,
    stores: stores.map(({ value }, i) => ({ access: storeAccess(operands.length + i), value })),
    sums,
  });
  const shared = Math.min(MOST_UNITS, Math.ceil((pixels * inner.n) / UNIT));
  const most = isRows(work) ? shape[kept!]! : sums.length > 0 ? SUM_UNITS : shared;
  const units = Math.max(1, Math.min(pixels, most));
  const partials = sums.map(() => planner.scratch([units, inner.n]));
  const live = Math.max(1, places.length);
  const block = Math.max(LEAST_BLOCK, Math.floor(BLOCK_BYTES / (4 * inner.n * live)));
  const touched = {
    reads: operands.map((p) => p.storage),
    writes: [...stores.map(({ place }) => place.storage), ...partials.map((p) => p.storage)],
  };
  if (pixels * inner.n > 0)
    planner.step(touched, () => ({
      op: "pointwise",
      kernel,
      scalars,
      loops: loops.map(({ n }) => n),
      accesses: places.map((p, i) => ({
        address: addressOf(p) + 4 * start * inner.strides[i]!,
        strides: loops.map(({ strides }) => 4 * strides[i]!),
      })),
      apart: sums.length > 0 ? [...operands.keys()].filter(isApart) : [],
      sums: partials.map(addressOf),
      units,
      block,
      serial: pixels * inner.n < SERIAL,
    }));
  return { units, inner: inner.n, places: partials };
}

/** The axis of size > 1 with the smallest stride, or the last. */
function innermostOf(order: readonly number[], shape: Shape): number {
  let found = shape.length - 1;
  for (const [axis, n] of shape.entries())
    if (n > 1 && (shape[found] === 1 || order[axis]! < order[found]!)) found = axis;
  return found;
}

const plain = { scalars: [], nodes: [], sums: [] };

/** Walks as the target lies, but along the source where only that has vectors: rows of pictures whose few channels come last. */
export function copySteps(planner: Planner, target: Place, source: Place): void {
  const { shape, strides } = target;
  const stores = [{ place: target, value: { operand: 0 } }];
  const [inner, beside] = [innermostOf(strides, shape), innermostOf(source.strides, shape)];
  const along = shape[inner]! < VECTOR && source.strides[beside] === 1 && shape[beside]! >= LEAST_ALONG;
  const order = strides.map((stride, axis) => (along && axis === beside ? 0 : stride));
  emit(planner, { ...plain, shape, order, operands: [source], stores });
}
export function fillSteps(planner: Planner, target: Place, value: number): void {
  const { scalars, ref } = numbers();
  const stores = [{ place: target, value: ref(value) }];
  emit(planner, { ...plain, shape: target.shape, order: target.strides, operands: [], scalars, stores });
}

export function uniteSteps(
  planner: Planner,
  name: "add" | "maximum" | "minimum",
  target: Place,
  sources: readonly Place[],
): void {
  const value = (i: number): Ref => (i === 0 ? { operand: 0 } : { node: i - 1 });
  const nodes = sources.slice(1).map((_, i) => ({ name, args: [value(i), { operand: i + 1 }] }));
  const stores = [{ place: target, value: value(sources.length - 1) }];
  emit(planner, { ...plain, nodes, shape: target.shape, order: target.strides, operands: sources, stores });
}

/** Numbers of an expression: common ones stand in the kernel. */
function numbers(): { readonly scalars: number[]; ref(value: number): Ref } {
  const scalars: number[] = [];
  const ref = (value: number): Ref => {
    if (COMMON.has(value) && !Object.is(value, -0)) return { constant: value };
    const known = scalars.findIndex((s) => Object.is(s, value));
    return { scalar: known >= 0 ? known : scalars.push(value) - 1 };
  };
  return { scalars, ref };
}

/** Strides of a value that lies packed with one axis innermost and the others in order. */
const packedWith = (shape: Shape, innermost: number): number[] => {
  const order = [...shape.keys()].filter((axis) => axis !== innermost);
  const strides = shape.map(() => 1);
  const packed = rowMajor([...order, innermost].map((axis) => shape[axis]!));
  [...order, innermost].forEach((axis, i) => {
    strides[axis] = packed[i]!;
  });
  return strides;
};

/** Lowers a fused group: one loop, and the combination of its partial sums. Reductions that do not fit are given back. */
export function lowerGroup(group: Group, innermost: number, planner: Planner): Equation[] {
  const { shape } = group;
  const stores = group.stores.map((t) => ({ t, place: planner.result(t) }));
  const refs = new Map<Tensor, Ref>();
  const operands: Place[] = [];
  const nodes: { name: NodeName; args: Ref[] }[] = [];
  const { scalars, ref: numberRef } = numbers();
  const add = (name: NodeName, ...args: Ref[]): Ref => ({ node: nodes.push({ name, args }) - 1 });
  const operand = (place: Place): Ref => ({ operand: operands.push(place) - 1 });
  const ref = (t: Tensor): Ref => {
    const known = refs.get(t);
    if (known) return known;
    const number = uniform(t);
    const made = number === undefined ? operand(planner.place(t)) : numberRef(number);
    refs.set(t, made);
    return made;
  };
  for (const e of group.equations) refs.set(e.outputs[0]!, node(e, e.inputs.map(ref), add));
  const written = stores.map(({ t, place }) => ({ place, value: ref(t) }));
  const later: Equation[] = [];
  const sums: Ref[] = [];
  const fused: { readonly e: Equation; readonly shift?: Place }[] = [];
  const computed = new Set(group.equations.flatMap((e) => e.outputs));
  for (const e of group.reductions) {
    const x = e.inputs[0]!;
    if (sizeOf(shape) === 0)
      for (const t of e.outputs) planner.fill(planner.result(t), e.name === "sum" ? 0 : Number.NaN);
    else if (e.name === "sum") {
      sums.push(ref(x));
      fused.push({ e });
    } else if (computed.has(x)) later.push(e);
    else {
      // Shifted by each channel's first element, one pass is accurate.
      const shift = firstOf(planner.place(x), innermost);
      const shifted = add("sub", ref(x), operand(expandPlace(shift, shape)));
      sums.push(shifted, add("mul", shifted, shifted));
      fused.push({ e, shift });
    }
  }
  if (written.length > 0 || sums.length > 0) {
    const order = packedWith(shape, innermost);
    const kept = fused[0] && keptAxis(fused[0].e);
    const work = { shape, order, operands, scalars, nodes, stores: written, sums, kept };
    combine(planner, fused, work, emit(planner, work));
  }
  return later;
}

/** The first element along every axis but one. */
const firstOf = (place: Place, kept: number): Place =>
  place.shape.reduce((p, _, axis) => (axis === kept ? p : slicePlace(p, axis, 0, 1)), place);

function combine(
  planner: Planner,
  fused: readonly { readonly e: Equation; readonly shift?: Place }[],
  work: Work,
  { units, inner, places }: Partials,
): void {
  const partials = [...places];
  // The partial sums of a row lie next to each other, those of a column one unit apart.
  const size = isRows(work)
    ? { sums: units, terms: inner, next: inner, step: 1 }
    : { sums: inner, terms: units, next: 1, step: inner };
  for (const { e, shift } of fused) {
    const outputs = e.outputs.map((t) => planner.result(t));
    const parts = partials.splice(0, shift ? 2 : 1);
    const target = (i: number) => ({ address: addressOf(outputs[i]!), stride: 4 * outputs[i]!.strides[work.kept!]! });
    planner.step(
      {
        reads: [...parts.map((p) => p.storage), ...(shift ? [shift.storage] : [])],
        writes: outputs.map((p) => p.storage),
      },
      () => {
        const serial = units * inner < SERIAL;
        const common = { op: "combine", ...size, partial: addressOf(parts[0]!), serial } as const;
        if (!shift) return { ...common, mode: "sum", out: target(0) };
        return {
          ...common,
          mode: "varMean",
          squares: addressOf(parts[1]!),
          shift: { address: addressOf(shift), stride: 4 * shift.strides[work.kept!]! },
          count: sizeOf(work.shape) / inner,
          variance: target(0),
          mean: target(1),
        };
      },
    );
  }
}

/** A pointwise equation as nodes; every dtype is held as float32, so casts say what they do to the number. */
function node(e: Equation, args: Ref[], add: (name: NodeName, ...args: Ref[]) => Ref): Ref {
  if (e.name === "cast") {
    const from = e.inputs[0]!.dtype;
    if (e.params.dtype === "bool") return from === "bool" ? args[0]! : add("nonZero", ...args);
    if (e.params.dtype === "int32") return from === "float32" ? add("truncate", ...args) : args[0]!;
    return args[0]!;
  }
  if (e.name === "copy") return args[0]!;
  if (e.name === "div" && e.outputs[0]!.dtype === "int32") return add("truncate", add("div", ...args));
  return add(e.name as NodeName, ...args); // the fused primitives are nodes by name
}
