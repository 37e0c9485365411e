// Lowering of matmul: as it stands or as its transpose, whichever reads, packs and writes with less effort.
import { sizeOf } from "../../../shape.ts";
import { PANEL } from "../kernels/matmul.ts";
import { loopsOver } from "../plan/loops.ts";
import { addressOf, expandPlace, type Place } from "../plan/place.ts";
import { DEPTH, panelBytes, panelsOf } from "../steps/matmul.ts";
import type { Builder, Lowering } from "./builder.ts";
import { inBytes } from "./reduce.ts";

/** Costs in nanoseconds: a multiply-add, and an element packed or written, in vectors or one by one. */
const MULTIPLY_ADD = 1 / 20;
const VECTOR = 0.2;
const ELEMENT = 0.6;
/** Rows are packed if so many panels read them, over so many steps. */
const PACK_FROM = { panels: 3, depth: 16 };
/** Bytes of rows that stay in the second-level cache while all panels pass. */
const BLOCK_BYTES = 192 * 1024;
const LEAST_BLOCK = 32;
/** The same for rows of all products that lie between each other's columns: one by one they would each touch the same memory again. */
const INNER_BYTES = 320 * 1024;
/** Pieces of work to share among threads, where rows are enough for them; by panels as well below FEW. Less than SMALL is not shared. */
const PIECES = 32;
const FEW = 8;
const SMALL = 65536;

/** A batch of matrices [rows, columns]. */
interface Matrices {
  readonly place: Place;
  readonly rows: number;
  readonly columns: number;
  /** Floats from row to row, and from column to column. */
  readonly row: number;
  readonly column: number;
}
const matrices = (place: Place): Matrices => ({
  place,
  rows: place.shape.at(-2)!,
  columns: place.shape.at(-1)!,
  row: place.strides.at(-2)!,
  column: place.strides.at(-1)!,
});
const transposed = ({ place, rows, columns, row, column }: Matrices): Matrices => ({
  ...{ place, rows: columns, columns: rows, row: column, column: row },
});
const batchOf = ({ place }: Matrices) => ({ shape: place.shape.slice(0, -2), strides: place.strides.slice(0, -2) });

const roundUp = (n: number, unit: number) => unit * Math.ceil(n / unit);
function cost(b: Matrices, y: Matrices): number {
  const packing = b.rows * b.columns * (b.column === 1 ? VECTOR : ELEMENT);
  const writing = y.rows * y.columns * (y.column === 1 ? VECTOR : ELEMENT);
  return roundUp(y.rows, 4) * roundUp(y.columns, PANEL) * b.rows * MULTIPLY_ADD + packing + writing;
}

/** The matrices [depth, columns] as panels; a batch axis along which they repeat is packed once. */
function pack(builder: Builder, m: Matrices, small: boolean): Matrices {
  const { shape, strides } = batchOf(m);
  const distinct = shape.map((n, axis) => (strides[axis] === 0 ? 1 : n));
  const { rows: depth, columns } = m;
  const panels = builder.derived(m.place, `panels of ${m.row} ${m.column}`, () => {
    const to = builder.scratch([...distinct, (panelsOf(columns) * panelBytes(depth)) / 4]);
    const count = panelsOf(columns);
    const walks = [
      [...strides, PANEL * m.column],
      [...to.strides.slice(0, -1), panelBytes(depth) / 4],
      [...distinct.map(() => 0), 1],
    ];
    const loops = loopsOver([...distinct, count], walks).map(({ n, strides: [from, at, panel] }) => ({
      n,
      strides: [4 * at!, 4 * from!, panel!],
    }));
    builder.step({ reads: [m.place.storage], writes: [to.storage] }, () => ({
      op: "pack",
      from: addressOf(m.place),
      to: addressOf(to),
      loops,
      ...{ depth, columns, step: 4 * m.row, column: 4 * m.column, serial: small },
    }));
    return to;
  });
  const { strides: steps } = expandPlace(panels, [...shape, panels.shape.at(-1)!]);
  return { ...m, place: { ...panels, shape: [...shape, 1, 1], strides: [...steps.slice(0, -1), 0, 0] } };
}

function product(builder: Builder, a: Matrices, b: Matrices, y: Matrices): void {
  const { rows, columns } = y;
  const depth = b.rows;
  const batch = sizeOf(batchOf(y).shape);
  const work = batch * rows * columns * depth;
  const panels = pack(builder, b, work < SMALL);
  const packs = depth >= PACK_FROM.depth && panelsOf(columns) >= PACK_FROM.panels;
  const loops = loopsOver(
    batchOf(y).shape,
    [y, a, panels].map((m) => batchOf(m).strides),
  );
  const bytes = 4 * Math.min(depth, DEPTH);
  const { n, strides } = loops.at(-1)!;
  const between = n > 1 && strides[2] === 0 && Math.abs(strides[0]!) < Math.abs(y.column);
  const together = packs && between && n * PANEL * bytes <= INNER_BYTES;
  const inner = together ? loops.pop()! : { n: 1, strides: [0, 0, 0] };
  const outer = batch / inner.n;
  const [least, most] = together
    ? [PANEL, Math.floor(INNER_BYTES / (n * bytes))]
    : [LEAST_BLOCK, Math.max(LEAST_BLOCK, Math.floor(BLOCK_BYTES / bytes))];
  const down = Math.max(Math.ceil(rows / most), Math.min(Math.ceil(PIECES / outer), Math.ceil(rows / least)));
  const block = roundUp(Math.ceil(rows / down), PANEL);
  const across = Math.min(panelsOf(columns), Math.ceil(FEW / (outer * Math.ceil(rows / block))));
  const reads = [a.place.storage, panels.place.storage];
  builder.step({ reads, writes: [y.place.storage] }, () => ({
    op: "matmul",
    a: addressOf(a.place),
    panels: addressOf(panels.place),
    y: addressOf(y.place),
    batch: inBytes(loops),
    inner: inBytes([inner])[0]!,
    ...{ rows, depth, columns, packs, block, wide: Math.ceil(panelsOf(columns) / across) },
    ...{ aRow: 4 * a.row, aStep: 4 * a.column, yRow: 4 * y.row, yColumn: 4 * y.column },
    serial: work < SMALL,
  }));
}

const matmul: Lowering<"matmul"> = ({ inputs, outputs }, builder) => {
  const [a, b] = inputs.map((t) => matrices(builder.place(t))) as [Matrices, Matrices];
  const y = matrices(builder.result(outputs[0]!));
  if (sizeOf(y.place.shape) === 0) return;
  if (b.rows === 0) return builder.fill(y.place, 0);
  const turned = transposed(y);
  // (A B)' = B' A'
  if (cost(b, y) <= cost(transposed(a), turned)) product(builder, a, b, y);
  else product(builder, transposed(b), transposed(a), turned);
};

export const matmulLowerings = { matmul };
