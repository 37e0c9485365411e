// Batched matrix products: one operand packed to panels of eight columns, the other read in place or packed block by block.
import { PANEL } from "../kernels/matmul.ts";
import { ROW_BYTES, TILE_ROWS } from "../kernels/multiply-adds.ts";
import type { Loop } from "../plan/loops.ts";
import { type Machine, share } from "./machine.ts";
import { eachTurn, turnsOf } from "./walk.ts";

export interface PackStep {
  readonly op: "pack";
  /** Byte addresses of the first matrix [depth, columns] and its panels [columns / 8][depth][8]. */
  readonly from: number;
  readonly to: number;
  /** Loops over batch and panels, bytes of [to, from] per turn, and number of the panel. */
  readonly loops: readonly Loop[];
  readonly depth: number;
  readonly columns: number;
  /** Bytes from step to step of the depth, and from column to column. */
  readonly step: number;
  readonly column: number;
}
export interface MatmulStep {
  readonly op: "matmul";
  readonly a: number;
  readonly panels: number;
  readonly y: number;
  /** Loops over the batch, bytes of [y, a, panels] per turn. */
  readonly batch: readonly Loop[];
  /** A loop more, with the same panels, that a piece of work makes for every few of them: its results lie side by side. */
  readonly inner: Loop;
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  /** Bytes from row to row and along k. */
  readonly aRow: number;
  readonly aStep: number;
  /** Rows are packed to tiles of four, in the scratch of the thread. */
  readonly packs: boolean;
  readonly yRow: number;
  readonly yColumn: number;
  /** Rows and panels of one piece of work. */
  readonly block: number;
  readonly wide: number;
}

/** Bytes of a panel. */
export const panelBytes = (depth: number): number => 4 * PANEL * depth;
export const panelsOf = (columns: number): number => Math.ceil(columns / PANEL);
/** Steps of the depth that are added up before the next ones: a panel of them and a tile stay in the first-level cache. */
export const DEPTH = 512;
/** Panels that pass over the rows of all inner turns at once: what they write stays in the first-level cache. */
const TOGETHER = 4;
/** Between packed tiles, so that they do not all fall into the same lines of the cache. */
const GAP = 64;

export function runPack(step: PackStep, machine: Machine): void {
  const { loops, depth, columns } = step;
  eachTurn(loops, share(turnsOf(loops), machine), ([to, from, panel]) => {
    machine.kernels.packEights({
      x: step.from + from!,
      to: step.to + to!,
      outer: 1,
      inner: depth,
      xOuter: 0,
      xInner: step.step,
      toOuter: 0,
      toInner: 4 * PANEL,
      xLane: step.column,
      lanes: Math.min(PANEL, columns - PANEL * panel!),
    });
  });
}

export function runMatmul(step: MatmulStep, machine: Machine): void {
  const { rows, columns, block, wide } = step;
  const panels = panelsOf(columns);
  const down = Math.ceil(rows / block);
  const across = Math.ceil(panels / wide);
  const still = [0, 0, 0];
  const loops = [...step.batch, { n: down, strides: still }, { n: across, strides: still }];
  const run = step.packs ? packedPiece : piece;
  eachTurn(loops, share(turnsOf(loops), machine), ([y, a, b], turn) => {
    const panel = wide * (turn % across);
    const row = block * (Math.floor(turn / across) % down);
    run(step, machine, {
      a: step.a + a! + row * step.aRow,
      b: step.panels + b! + panel * panelBytes(step.depth),
      y: step.y + y! + row * step.yRow + PANEL * panel * step.yColumn,
      rows: Math.min(block, rows - row),
      columns: Math.min(PANEL * wide, columns - PANEL * panel),
    });
  });
}

interface Piece {
  readonly a: number;
  readonly b: number;
  readonly y: number;
  readonly rows: number;
  readonly columns: number;
}

function piece(
  { depth, aRow, aStep, yRow, yColumn }: MatmulStep,
  { kernels }: Machine,
  { a, b, y, rows, columns }: Piece,
): void {
  for (let panel = 0; panel < panelsOf(columns); panel++)
    kernels.matmulPanel({
      a,
      panel: b + panel * panelBytes(depth),
      y: y + PANEL * panel * yColumn,
      rows,
      depth,
      columns: Math.min(PANEL, columns - PANEL * panel),
      aRow,
      aStep,
      yRow,
      yStep: yColumn,
    });
}

function packedPiece(step: MatmulStep, { kernels, scratch }: Machine, { a, b, y, rows, columns }: Piece): void {
  const { aRow, aStep, yRow, yColumn, inner } = step;
  const [yInner, aInner] = inner.strides as [number, number];
  const together = inner.n > 1 ? TOGETHER : panelsOf(columns);
  for (let k = 0; k < step.depth; k += DEPTH) {
    const depth = Math.min(DEPTH, step.depth - k);
    const aTile = ROW_BYTES * depth + GAP;
    const aTiles = Math.ceil(rows / TILE_ROWS) * aTile;
    for (let i = 0; i < inner.n; i++)
      packRows(kernels, { a: a + i * aInner + k * aStep, to: scratch + i * aTiles, rows, depth, aRow, aStep, aTile });
    const whole = Math.floor(columns / PANEL);
    const run = (panel: number, panels: number, width: number) => {
      for (let i = 0; i < inner.n; i++)
        kernels.matmulTiles({
          a: scratch + i * aTiles,
          aTile,
          b: b + panel * panelBytes(step.depth) + k * 4 * PANEL,
          bPanel: panelBytes(step.depth),
          panels,
          y: y + i * yInner + PANEL * panel * yColumn,
          rows,
          depth,
          columns: width,
          yRow,
          yStep: yColumn,
          fresh: k === 0 ? 1 : 0,
        });
    };
    for (let panel = 0; panel < whole; panel += together) run(panel, Math.min(together, whole - panel), PANEL);
    if (columns > PANEL * whole) run(whole, 1, columns - PANEL * whole);
  }
}

/** Rows as tiles [rows / 4][depth][4], walked as they lie. */
function packRows(
  kernels: Machine["kernels"],
  given: Record<"a" | "to" | "rows" | "depth" | "aRow" | "aStep" | "aTile", number>,
): void {
  const { a, to, rows, depth, aRow, aStep, aTile } = given;
  const whole = Math.floor(rows / TILE_ROWS);
  const rest = rows - whole * TILE_ROWS;
  const alongRows = Math.abs(aRow) < Math.abs(aStep);
  const run = (tile: number, tiles: number, lanes: number) => {
    kernels.packFours({
      x: a + tile * TILE_ROWS * aRow,
      to: to + tile * aTile,
      outer: alongRows ? depth : tiles,
      inner: alongRows ? tiles : depth,
      xOuter: alongRows ? aStep : TILE_ROWS * aRow,
      xInner: alongRows ? TILE_ROWS * aRow : aStep,
      toOuter: alongRows ? ROW_BYTES : aTile,
      toInner: alongRows ? aTile : ROW_BYTES,
      xLane: aRow,
      lanes,
    });
  };
  if (whole > 0) run(0, whole, TILE_ROWS);
  if (rest > 0) run(whole, 1, rest);
}
