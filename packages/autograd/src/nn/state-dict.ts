// State dicts: the tensors of a module by key, out of it and into it.
import { cast, type Tensor, type Variable } from "@orepa/tensor";
import { namedVariables } from "./module.ts";

/** A state dict does not fit a module. `key` is the first entry that differs, the fields say how. */
export class StateDictError extends Error {
  override readonly name = "StateDictError";
  readonly key: string;
  /** Shape in the module; undefined if the module has no such entry. */
  readonly expected: readonly number[] | undefined;
  /** Shape in the state dict; undefined if it has no such entry. */
  readonly got: readonly number[] | undefined;

  constructor(key: string, expected?: readonly number[], got?: readonly number[], others = 0) {
    super(
      `loadStateDict: ${key}: expected ${expected ? `shape [${expected.join(", ")}]` : "no such entry"}, ` +
        `got ${got ? `shape [${got.join(", ")}]` : "none"}${others ? ` (and ${others} more that differ)` : ""}`,
    );
    this.key = key;
    this.expected = expected;
    this.got = got;
  }
}

/** What `loadStateDict` did, by key. */
export interface LoadReport {
  readonly loaded: readonly string[];
  /** In the module, not in the state dict. */
  readonly missing: readonly string[];
  /** In the state dict, not in the module. */
  readonly unexpected: readonly string[];
  /** In both, with different shapes. */
  readonly mismatched: readonly string[];
}

/** The values of all Variables by key. Where a device may hold newer ones, use `readStateDict`. */
export const stateDict = (module: object): Map<string, Tensor> =>
  new Map([...namedVariables(module)].map(([key, variable]) => [key, variable.value]));

/** The values of all Variables by key, brought home from whatever device holds them. */
export const readStateDict = (module: object): Promise<Map<string, Tensor>> => readVariables(namedVariables(module));

/** The values of named Variables, such as an optimizer's state, brought home from whatever device holds them. */
export async function readVariables(variables: ReadonlyMap<string, Variable>): Promise<Map<string, Tensor>> {
  const values = new Map<string, Tensor>();
  for (const [key, variable] of variables) values.set(key, await variable.read());
  return values;
}

/**
 * Copies a state dict into the Variables of a module, cast to their dtypes.
 * Strict (the default): keys and shapes must agree exactly, else nothing is changed. Not strict: entries that fit are taken, and the
 * report says what was left.
 * @throws StateDictError if strict and something differs.
 */
export const loadStateDict = (
  module: object,
  state: ReadonlyMap<string, Tensor>,
  options: { readonly strict?: boolean } = {},
): LoadReport => loadVariables(namedVariables(module), state, options);

/**
 * `loadStateDict` for named Variables, such as an optimizer's state.
 * @throws StateDictError if strict and something differs.
 */
export function loadVariables(
  variables: ReadonlyMap<string, Variable>,
  state: ReadonlyMap<string, Tensor>,
  { strict = true }: { readonly strict?: boolean } = {},
): LoadReport {
  const report = compare(variables, state);
  const [wrong] = [...report.mismatched, ...report.missing, ...report.unexpected];
  if (strict && wrong !== undefined) {
    const others = report.mismatched.length + report.missing.length + report.unexpected.length - 1;
    throw new StateDictError(wrong, variables.get(wrong)?.shape, state.get(wrong)?.shape, others);
  }
  for (const key of report.loaded) {
    const variable = variables.get(key)!;
    variable.assign(cast(state.get(key)!, variable.dtype));
  }
  return report;
}

function compare(variables: ReadonlyMap<string, Variable>, state: ReadonlyMap<string, Tensor>): LoadReport {
  const common = [...variables.keys()].filter((key) => state.has(key));
  const fits = (key: string): boolean => variables.get(key)!.shape.join() === state.get(key)!.shape.join();
  return {
    loaded: common.filter(fits),
    missing: [...variables.keys()].filter((key) => !state.has(key)),
    unexpected: [...state.keys()].filter((key) => !variables.has(key)),
    mismatched: common.filter((key) => !fits(key)),
  };
}
