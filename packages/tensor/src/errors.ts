// Errors of the engine: one format, with fields for programs and tests.

/**
 * An op was given what it cannot take. The message reads
 * `op: expected ..., got ... (hint)`; the same parts are fields.
 */
export class OpError extends Error {
  override readonly name = "OpError";
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
