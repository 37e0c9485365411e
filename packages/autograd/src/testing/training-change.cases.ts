// What a training step changes, in float32 on a device against float64 on the reference.
import type { Tensor } from "@orepa/tensor";
import { expect } from "vitest";

/** A training step, or several. */
export interface Change {
  /** Of the last step. */
  readonly loss: number;
  /** Variables by key. */
  readonly before: ReadonlyMap<string, Tensor>;
  readonly after: ReadonlyMap<string, Tensor>;
}
/** Half a unit in the last place of float32. */
const HALF_ULP = 2 ** -24;

/** The rounding that a change may have: relative, through so many layers of sums of so many terms. */
export const roundingOf = ({ layers, terms }: { readonly layers: number; readonly terms: number }): number =>
  HALF_ULP * layers * Math.sqrt(terms);

const elements = (a: Tensor): number[] => Array.from(a.toTypedArray());
const length = (a: Tensor): number => Math.sqrt(elements(a).reduce((sum, value) => sum + value ** 2, 0));
const distance = (a: Tensor, b: Tensor): number => {
  const y = elements(b);
  return Math.sqrt(elements(a).reduce((sum, value, i) => sum + (value - y[i]!) ** 2, 0));
};

/** Compares the loss, and the changes of all Variables whose keys begin with the same word, as one vector. */
export function expectSameChange(found: Change, exact: Change, tolerance: number): void {
  expect(Math.abs(found.loss - exact.loss) / exact.loss, "loss").toBeLessThan(tolerance);
  const parts = new Set([...exact.after.keys()].map((key) => key.split(" ")[0]!));
  for (const part of parts) {
    const keys = [...exact.after.keys()].filter((key) => key.startsWith(`${part} `));
    const over = (f: (key: string) => number) => Math.hypot(...keys.map(f));
    const change = over((key) => distance(exact.after.get(key)!, exact.before.get(key)!));
    const size = over((key) => length(exact.after.get(key)!));
    const off = over((key) => distance(found.after.get(key)!, exact.after.get(key)!));
    // The values themselves are rounded before and after.
    expect(off, part).toBeLessThan(tolerance * change + 4 * HALF_ULP * size);
  }
}
