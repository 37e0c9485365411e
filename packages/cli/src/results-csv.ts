// results.csv: one row an epoch, columns right-aligned in 23 characters with five significant digits.

import type { ResultsRow } from "@orepa/yolo";

const WIDTH = 23;

/** The columns of a detection training. */
export const RESULT_COLUMNS = [
  "epoch",
  "train/box_loss",
  "train/cls_loss",
  "train/dfl_loss",
  "metrics/precision(B)",
  "metrics/recall(B)",
  "metrics/mAP50(B)",
  "metrics/mAP50-95(B)",
  "val/box_loss",
  "val/cls_loss",
  "val/dfl_loss",
  "lr/pg0",
  "lr/pg1",
  "lr/pg2",
] as const;

/** The heading line. */
export const RESULT_HEADER = RESULT_COLUMNS.map((name) => name.padStart(WIDTH)).join(",");

/** The numbers of a row in the order of the columns. */
const resultValues = ({ epoch, trainLoss, metrics, valLoss, lr }: ResultsRow): number[] => [
  epoch,
  ...trainLoss,
  ...metrics,
  ...valLoss,
  ...lr,
];

/** One line, without its line end. */
export const resultLine = (row: ResultsRow): string =>
  resultValues(row)
    .map((value) => general(value, 5).padStart(WIDTH))
    .join(",");

/** The lines of the epochs in a file's text, without the heading. */
export const resultLines = (text: string): string[] =>
  text
    .split("\n")
    .slice(1)
    .filter((line) => line.trim() !== "");

/** The file's text from its lines. */
export const resultsText = (lines: readonly string[]): string => `${[RESULT_HEADER, ...lines].join("\n")}\n`;

/** A number as C's `%.{digits}g` writes it. */
export function general(value: number, digits: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e") as [string, string];
  const power = Number(exponent);
  const trim = (text: string) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power >= -4 && power < digits) return trim(value.toFixed(digits - 1 - power));
  return `${trim(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}
