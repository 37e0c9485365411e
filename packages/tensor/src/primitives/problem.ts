// What a geometry rule answers when shapes or parameters do not fit; the op that asked makes an error of it.

/** The parts of an error message: `op: expected <expected>, got <got> (<hint>)`. */
export interface Problem {
  readonly expected: string;
  readonly got: string;
  readonly hint?: string;
}

/** Tells a problem from a geometry. */
export const isProblem = (value: object): value is Problem => "expected" in value && "got" in value;
