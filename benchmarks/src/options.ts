// The arguments that benchmarks share, and whole numbers read from them.
import { createWasm, type DeviceName, type DeviceSpec, deviceNames } from "@orepa/tensor";

/** The device taken without --device. */
export const defaultDevice: DeviceName = "wasm";

/** A device on a number of threads. */
export interface OpenDevice {
  readonly device: DeviceSpec;
  /** Threads at work: the cpu device has one. */
  readonly threads: number;
  /** `wasm, 2 threads` */
  readonly label: string;
  close(): Promise<void>;
}

/** @throws Error unless there is a device of that name, and of as many threads where it can have several; OpError without wide vectors. */
export function openDevice(name: string, threads: number, wide = false): OpenDevice {
  if (name === "cpu") return { device: name, threads: 1, label: "cpu, 1 thread", close: async () => {} };
  if (name !== "wasm") throw new Error(`--device: expected one of ${deviceNames.join(", ")}, got ${name}`);
  const device = createWasm({ threads, wide });
  if (device.note !== undefined) throw new Error(`--threads: ${device.note}`);
  const label = `wasm, ${threads} thread${threads > 1 ? "s" : ""}${wide ? ", wide" : ""}`;
  return { device, threads, label, close: () => device.dispose() };
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
