// The arguments that benchmarks share, and whole numbers read from them.
import { type DeviceName, deviceNames } from "@orepa/tensor";

/** The device taken without --device: the fastest. */
export const defaultDevice: DeviceName = deviceNames.at(-1)!;

/** @throws Error unless there is a device of that name. */
export function deviceOption(name: string): DeviceName {
  const device = deviceNames.find((known) => known === name);
  if (device === undefined) throw new Error(`--device: expected one of ${deviceNames.join(", ")}, got ${name}`);
  return device;
}
/** @throws Error unless the text is a whole number above 0. */
export function wholeNumber(name: string, text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new Error(`--${name}: expected a whole number above 0, got ${text}`);
  return n;
}
/** `1,2,8`. */
export const wholeNumbers = (name: string, text: string): number[] =>
  text.split(",").map((item) => wholeNumber(name, item));
