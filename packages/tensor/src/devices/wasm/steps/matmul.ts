// Batched matrix products: one operand packed to panels of eight columns, the other read in place or packed likewise.
import { PANEL } from "../kernels/matmul.ts";
import type { Loop } from "../plan/loops.ts";
import { type Machine, share } from "./machine.ts";
import { eachTurn, turnsOf } from "./walk.ts";

export interface PackStep {
  readonly op: "pack";
  /** Byte addresses of the first matrix [depth, columns] and its panels [columns / 8][depth][8]. */
  readonly from: number;
  readonly to: number;
  /** Loops over the batch, bytes of [to, from] per turn. */
  readonly batch: readonly Loop[];
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
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  /** Bytes from row to row and along k; of packed rows (panels of eight rows) nothing. */
  readonly aRow: number;
  readonly aStep: number;
  readonly packedRows: boolean;
  readonly yRow: number;
  readonly yColumn: number;
  /** Rows and panels of one piece of work. */
  readonly block: number;
  readonly wide: number;
}

/** Bytes of a panel. */
export const panelBytes = (depth: number): number => 4 * PANEL * depth;
export const panelsOf = (columns: number): number => Math.ceil(columns / PANEL);

export function runPack(step: PackStep, machine: Machine): void {
  const { depth, columns } = step;
  const count = panelsOf(columns);
  const inner: Loop = { n: count, strides: [panelBytes(depth), PANEL * step.column] };
  const loops = [...step.batch, inner];
  eachTurn(loops, share(turnsOf(loops), machine), ([to, from], turn) => {
    machine.kernels.packPanel({
      b: step.from + from!,
      to: step.to + to!,
      depth,
      columns: Math.min(PANEL, columns - PANEL * (turn % count)),
      bStep: step.step,
      bColumn: step.column,
    });
  });
}

export function runMatmul(step: MatmulStep, machine: Machine): void {
  const { kernels } = machine;
  const { rows, depth, columns, aRow, aStep, packedRows, yRow, yColumn, block, wide } = step;
  const panels = panelsOf(columns);
  const down = Math.ceil(rows / block);
  const across = Math.ceil(panels / wide);
  const still = [0, 0, 0];
  const loops = [...step.batch, { n: down, strides: still }, { n: across, strides: still }];
  const height = packedRows ? PANEL : block;
  eachTurn(loops, share(turnsOf(loops), machine), ([y, a, b], turn) => {
    const right = wide * (turn % across);
    const top = block * (Math.floor(turn / across) % down);
    const bottom = Math.min(rows, top + block);
    for (let panel = right; panel < Math.min(panels, right + wide); panel++)
      for (let row = top; row < bottom; row += height)
        kernels.matmulPanel({
          a: step.a + a! + (packedRows ? (row / PANEL) * panelBytes(depth) : row * aRow),
          panel: step.panels + b! + panel * panelBytes(depth),
          y: step.y + y! + row * yRow + PANEL * panel * yColumn,
          rows: Math.min(height, bottom - row),
          depth,
          columns: Math.min(PANEL, columns - PANEL * panel),
          aRow: packedRows ? 4 : aRow,
          aStep: packedRows ? 4 * PANEL : aStep,
          yRow,
          yStep: yColumn,
        });
  });
}
