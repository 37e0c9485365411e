// Errors of the engine: one format, with fields for programs and tests.

/**
 * An op was given what it cannot take. The message reads
 * `op: expected ..., got ... (hint)`; the same parts are fields.
 */
export class OpError extends Error {
  override readonly name: string = "OpError";
  readonly op: string;
  readonly expected: string;
  readonly got: string;
  readonly hint: string | undefined;

  constructor(op: string, expected: string, got: string, hint?: string) {
    super(`${op}: expected ${expected}, got ${got}${hint ? ` (${hint})` : ""}`);
    this.op = op;
    this.expected = expected;
    this.got = got;
    this.hint = hint;
  }
}

/** A device has stopped working in the middle of things: what it alone held is lost. */
export class DeviceError extends OpError {
  override readonly name: string = "DeviceError";
}

/** A worker thread of a device has died or hangs: the device cannot be used any more. */
export class WorkerError extends DeviceError {
  override readonly name = "WorkerError";
}

/** Something does not fit into the memory of a device; the fields are bytes. */
export class MemoryError extends OpError {
  override readonly name = "MemoryError";
  /** What it would take, and what may be had for it. */
  readonly needed: number;
  readonly available: number;
  /** What it is for. */
  readonly use: string;

  constructor(op: string, { needed, available, use, hint }: MemoryShortage) {
    super(op, `at most ${Math.floor(available / MIB)} MiB for ${use}`, `${Math.ceil(needed / MIB)} MiB`, hint);
    this.needed = needed;
    this.available = available;
    this.use = use;
  }
}
const MIB = 2 ** 20;

/** What was asked of a memory that it does not have. */
interface MemoryShortage {
  readonly needed: number;
  readonly available: number;
  /** What it is for. */
  readonly use: string;
  readonly hint: string;
}
