// Pieces of the study's report: tables, and numbers as text.

import { METHODS, type MethodName, methodNames } from "./methods.ts";

/** A Markdown table; the columns in `left` hold words. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], left = 2): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i < left ? "---" : "---:"))), ...rows.map(line)];
}

const MEBIBYTE = 2 ** 20;
export const mebibytes = (bytes: number): string => (bytes / MEBIBYTE).toFixed(1);
export const title = (method: MethodName): string => METHODS[method].title;
export const methodsOf = (rows: readonly { readonly method: MethodName }[]): MethodName[] =>
  methodNames.filter((name) => rows.some(({ method }) => method === name));
/** Whole percents; adding 0 turns -0 into 0. */
export const percent = (part: number): string => `${Math.round(100 * part) + 0} %`;
/** `12.3 (12.1 to 12.9)` */
export const withQuartiles = (ms: number, [low, high]: readonly [number, number]): string =>
  `${ms.toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`;
export const times = (value: number, of: number): string => `${(value / of).toFixed(2)}x`;
