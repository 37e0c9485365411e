// Winograd's transforms for convolutions of 3 taps and stride 2, along an axis
//
//   y[i] = w0 x[2i] + w1 x[2i + 1] + w2 x[2i + 2] = A' [(G (w0, w2)) * (B' even) + (G (w1, 0)) * (B' odd)],
//
// a convolution of the even pixels with (w0, w2) and one of the odd pixels with (w1), both of stride 1 and by F42 or F52,
// summed before A'. At infinity (w1, 0) is 0, so the odd phase has no position there: 9 products for 4 results, 81 for 4 x 4;
// 11 for 5, 121 for 5 x 5.
//
// All values of a pair of points form a plane. In it, for every group of channels, stand those of the phases that the
// position has: value of phase (p, q) of group g, in units,
//
//   4 g + 2 p + q    where both points are finite
//   2 g + q or p     where one is
//   g                where none is
//
// so that a position sums over phases and channels as one range. Rows are transformed, then columns, one line at a time with
// the patch in memory between, as in winograd-transform.ts.
import { define, type FunctionBuilder, integers } from "../assembler.ts";
import { type Local, load, loadLane, op, type Value } from "../values.ts";
import {
  type Filter,
  filters,
  type Matrix,
  type Multiply,
  range,
  times,
  timesTransposed,
} from "./winograd-matrices.ts";

type Integer = Local<"i32">;
type Vector = Local<"v128">;
type Read = (into: Vector, at: Integer) => void;
type Write = (at: Integer, value: Value<"v128">) => void;
/** Every other place of a line from `first` on, and the matrix with a column for each. */
interface Phase {
  readonly first: 0 | 1;
  readonly count: number;
  readonly matrix: Matrix;
}
/** The phase of two taps and that of one. */
type Axis = readonly [Phase, Phase];

/** Of a filter F(m x m, 2 x 2), which has m points that are not infinity: what is taken from pixels, taps and gradients. */
function axesOf({ m, patches, kernels, results }: Filter) {
  const finite = (matrix: Matrix): Matrix => matrix.slice(0, -1);
  const pixels: Axis = [
    { first: 0, count: m + 1, matrix: patches },
    { first: 1, count: m, matrix: finite(patches) },
  ];
  const taps: Axis = [
    { first: 0, count: 2, matrix: kernels },
    { first: 1, count: 1, matrix: firstOf(finite(kernels)) },
  ];
  /** Of the input gradient: one tap makes the even pixels. */
  const gradients: Axis = [
    { first: 1, count: m, matrix: results },
    { first: 0, count: m, matrix: finite(results) },
  ];
  return { pixels, taps, gradients };
}
type Axes = ReturnType<typeof axesOf>;
/** The first column. */
const firstOf = (matrix: Matrix): Matrix =>
  matrix.flatMap((entry) => ("even" in entry ? [[entry.even[0]!], [entry.even[0]!]] : [[entry[0]!]]));
/** Points of an axis that are not infinity: the odd phase has a position at each. */
const finiteOf = ([, { matrix }]: Axis): number => matrix.reduce((n, entry) => n + ("even" in entry ? 2 : 1), 0);

/**
 * Patch t of `tiles` is at map + t mapTile, its values from planes + t planesTile on. A tile has `groups` times `depth` vectors, step
 * bytes apart in the map; in a plane those of a group lie 32 bytes apart, and `unit` is the bytes from phase to phase. `before` is
 * what precedes the first group where no point is finite. `row` and `place` are bytes from line to line and from place
 * to place of the map, `plane` from position to position. Kernels are four maps, `column` bytes apart.
 */
const parameters = integers(
  ...(["map", "planes", "temporary", "before", "tiles", "groups", "depth"] as const),
  ...(["row", "place", "column", "step", "mapTile", "planesTile", "plane", "unit"] as const),
);
type Parameters = Record<keyof typeof parameters, Integer>;
type Use = (map: Integer, base: Integer, before: Integer) => void;

function eachVector(f: FunctionBuilder, p: Parameters, use: Use): void {
  const [n, m, map, base, before] = f.locals("i32", 5);
  f.countdown(p.tiles, () => {
    f.set(map, p.map);
    f.set(before, p.before);
    f.set(n, p.groups);
    f.countdown(n, () => {
      f.set(base, p.planes);
      f.set(m, p.depth);
      f.countdown(m, () => {
        use(map, base, before);
        f.increase(map, p.step);
        f.increase(base, 32);
      });
      f.increase(before, p.unit);
    });
    f.increase(p.map, p.mapTile);
    f.increase(p.planes, p.planesTile);
  });
}

/** Walks over lines of the map and over columns of positions, phase by phase; `at` is the line's or column's temporary memory. */
function walks(f: FunctionBuilder, axis: Axis, p: Parameters) {
  const points = finiteOf(axis);
  const columns = 2 * points + 1;
  const [i, line, at, next, planes, step, second, lag] = f.locals("i32", 8);
  f.set(planes, op("i32.mul", p.plane, points + 1));
  const walk = (count: number, start: Value<"i32">, turn: () => void) => {
    f.set(line, start);
    f.set(at, p.temporary);
    f.set(i, count);
    f.countdown(i, turn);
  };
  const eachLine = (map: Integer, body: (index: 0 | 1) => void) =>
    walk(axis[0].count + axis[1].count, map, () => {
      body(0);
      body(1);
      f.increase(line, p.row);
      f.increase(at, 16 * columns);
    });
  /** Calls `use` with every place of a phase, its address in `next`. */
  const eachPlace = (index: 0 | 1, use: (k: number) => void) => {
    f.set(next, axis[index].first === 0 ? line : op("i32.add", line, p.place));
    for (const k of range(axis[index].count)) {
      if (k > 0) f.increase(next, op("i32.shl", p.place, 1));
      use(k);
    }
  };
  const eachColumn = (base: Integer, before: Integer, body: (index: 0 | 1) => void) => {
    f.set(step, p.unit);
    f.set(second, op("i32.shl", p.unit, 1));
    f.set(lag, op("i32.shl", before, 1));
    walk(columns, op("i32.add", base, op("i32.shl", before, 2)), () => {
      f.if(op("i32.eq", i, 1), () => {
        f.set(line, op("i32.sub", line, lag));
        f.set(lag, before);
        f.set(second, p.unit);
      });
      body(0);
      body(1);
      f.increase(line, step);
      f.set(step, op("i32.sub", p.plane, step));
      f.increase(at, 16);
    });
  };
  /** For a phase of a column: calls `use` with the address of a position in `next`; to be called in order. */
  const positions = (index: 0 | 1) => {
    f.set(next, index === 0 ? line : op("i32.add", line, second));
    return (position: number, use: () => void) => {
      if (position > 0) f.increase(next, position < points ? planes : op("i32.sub", planes, lag));
      use();
    };
  };
  /** Where a value stands in temporary memory, from its line or its column on. */
  const inLine = (index: 0 | 1, position: number) => 16 * (2 * position + index);
  const inColumn = (index: 0 | 1, k: number) => 16 * columns * (2 * k + axis[index].first);
  /** Values of a line. */
  const d = f.locals("v128", points + 1);
  return { at, next, d, points, eachLine, eachPlace, eachColumn, positions, inLine, inColumn };
}

/** Emits the transforms of all patches to positions. `read` sets a local to the vector at an address. */
function toPositions(f: FunctionBuilder, axis: Axis, p: Parameters, read: Read): void {
  const { at, next, d, ...walk } = walks(f, axis, p);
  const multiply = axis.map(({ matrix }) => times(f, matrix)) as [Multiply, Multiply];
  eachVector(f, p, (map, base, before) => {
    walk.eachLine(map, (index) => {
      walk.eachPlace(index, (k) => read(d[k]!, next));
      multiply[index](d, (value, i) => f.store("v128.store", at, value, walk.inLine(index, i)));
    });
    walk.eachColumn(base, before, (index) => {
      for (const k of range(axis[index].count)) f.set(d[k]!, load("v128.load", at, walk.inColumn(index, k)));
      const position = walk.positions(index);
      multiply[index](d, (value, i) => position(i, () => f.store("v128.store", next, value)));
    });
  });
}

/** Emits the transforms of positions to patches. `write` stores a vector at an address. */
function fromPositions(f: FunctionBuilder, axis: Axis, p: Parameters, write: Write): void {
  const { at, next, d, ...walk } = walks(f, axis, p);
  const multiply = axis.map(({ matrix }) => timesTransposed(f, matrix)) as [Multiply, Multiply];
  const read = (index: 0 | 1) => d.slice(0, walk.points + 1 - index).entries();
  eachVector(f, p, (map, base, before) => {
    walk.eachColumn(base, before, (index) => {
      const position = walk.positions(index);
      for (const [i, local] of read(index)) position(i, () => f.set(local, load("v128.load", next)));
      multiply[index](d, (value, k) => f.store("v128.store", at, value, walk.inColumn(index, k)));
    });
    walk.eachLine(map, (index) => {
      for (const [i, local] of read(index)) f.set(local, load("v128.load", at, walk.inLine(index, i)));
      const values: Value<"v128">[] = [];
      multiply[index](d, (value) => values.push(value));
      walk.eachPlace(index, (k) => write(next, values[k]!));
    });
  });
}

const LANES = [0, 1, 2, 3] as const;
/** v = B' d B of the pixels of a patch. */
const inputOf = ({ pixels }: Axes) =>
  define(parameters, (f, p) => {
    toPositions(f, pixels, p, (into, at) => f.set(into, load("v128.load", at)));
  });
/** The 2 m x 2 m pixels A' m A of the input gradient. */
const gradientOf = ({ gradients }: Axes) =>
  define(parameters, (f, p) => {
    fromPositions(f, gradients, p, (at, value) => f.store("v128.store", at, value));
  });
/** u = G g G' of 3 x 3 taps. */
const packOf = ({ taps }: Axes) =>
  define(parameters, (f, p) => {
    const lane = f.local("i32");
    toPositions(f, taps, p, (into, at) => {
      f.set(lane, at);
      f.set(into, load("v128.load32_splat", lane));
      for (const i of LANES.slice(1)) {
        f.increase(lane, p.column);
        f.set(into, loadLane(lane, into, i));
      }
    });
  });
/** dw = G' m G. */
const unpackOf = ({ taps }: Axes) =>
  define(parameters, (f, p) => {
    const lane = f.local("i32");
    const tap = f.local("v128");
    fromPositions(f, taps, p, (at, value) => {
      f.set(tap, value);
      f.set(lane, at);
      for (const i of LANES) {
        f.storeLane(lane, tap, i);
        if (i < 3) f.increase(lane, p.column);
      }
    });
  });

const [F42, F52] = [axesOf(filters.F42), axesOf(filters.F52)];
export const stridedKernels = {
  stridedInputF42: inputOf(F42),
  stridedInputF52: inputOf(F52),
  stridedGradientF42: gradientOf(F42),
  stridedGradientF52: gradientOf(F52),
  stridedPackF42: packOf(F42),
  stridedPackF52: packOf(F52),
  stridedUnpackF42: unpackOf(F42),
  stridedUnpackF52: unpackOf(F52),
};
