// Progress of an epoch: a line drawn over again on a terminal, one line per epoch elsewhere.

import type { LossItems } from "@orepa/yolo";
import type { Io } from "./io.ts";

/** Characters of a column. */
const COLUMN = 11;
/** Milliseconds between two drawings of the line. */
const REFRESH = 100;

/** The heading above the epochs. */
export const TRAIN_HEADER = ["Epoch", "Memory", "box_loss", "cls_loss", "dfl_loss", "Instances", "Size"]
  .map((name) => name.padStart(COLUMN))
  .join("");

/** The heading above validation rows. */
export const VAL_HEADER = `${"Class".padStart(22)}${["Images", "Instances", "Box(P", "R", "mAP50", "mAP50-95)"].map((name) => name.padStart(COLUMN)).join("")}`;

/** What one line of an epoch says. */
export interface EpochState {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  readonly items: LossItems;
  readonly instances: number;
  readonly imgsz: number;
  /** Bytes, or null where the device does not say. */
  readonly memory: number | null;
}

/** The columns of an epoch: `1/100  347M  5.823  3.897  3.557  11  640`. */
export function epochColumns({ epoch, epochs, items, instances, imgsz, memory }: EpochState): string {
  const cells = [
    `${epoch}/${epochs}`,
    memory === null ? "-" : `${Math.ceil(memory / 2 ** 20)}M`,
    ...items.map((item) => significant(item)),
    String(instances),
    String(imgsz),
  ];
  return cells.map((cell) => cell.padStart(COLUMN)).join("");
}

/** Four significant digits. */
export const significant = (value: number): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);

/** A line that shows how far something is. */
export interface ProgressLine {
  /** `done` of `total` steps; drawn on a terminal only, and not too often. */
  readonly update: (text: string, done: number, total: number) => void;
  /** Puts a text in place of the line. */
  readonly finish: (text: string) => void;
  /** Leaves the line as it was drawn last. */
  readonly keep: () => void;
  /** Takes the line away. */
  readonly clear: () => void;
}

/** A progress line on the terminal; without one only `finish` prints. */
export function progressLine(io: Io): ProgressLine {
  const start = io.now();
  let drawn = Number.NEGATIVE_INFINITY;
  let wide = 0;
  return {
    update(text, done, total) {
      const now = io.now();
      if (!io.isTerminal || (now - drawn < REFRESH && done < total)) return;
      drawn = now;
      const content = `${text}: ${bar(done, total, (now - start) / 1000)}`.slice(0, io.columns - 1);
      io.write(`\r${content.padEnd(wide)}`);
      wide = content.length;
    },
    finish(text) {
      io.write(io.isTerminal ? `\r${text.padEnd(wide)}\n` : `${text}\n`);
    },
    keep() {
      if (io.isTerminal && wide > 0) io.write("\n");
    },
    clear() {
      if (io.isTerminal && wide > 0) io.write(`\r${" ".repeat(wide)}\r`);
    },
  };
}

/** ` 40%|####      | 4/10 [00:02<00:03, 2.0it/s]` */
export function bar(done: number, total: number, seconds: number): string {
  const share = total > 0 ? done / total : 1;
  const filled = Math.round(share * 10);
  const rate = seconds > 0 ? done / seconds : 0;
  const left = rate > 0 ? clock((total - done) / rate) : "?";
  const speed = rate === 0 ? "?it/s" : rate >= 1 ? `${rate.toFixed(2)}it/s` : `${(1 / rate).toFixed(2)}s/it`;
  const drawn = `${"#".repeat(filled)}${" ".repeat(10 - filled)}`;
  return `${String(Math.round(share * 100)).padStart(3)}%|${drawn}| ${done}/${total} [${clock(seconds)}<${left}, ${speed}]`;
}

/** Minutes and seconds, hours when there are any. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}
