// Reads a command line into a mode and checked settings. Every mistake is a UserError of one line.

import { UserError } from "@orepa/yolo";
import {
  ARGUMENTS,
  type Argument,
  type ArgumentName,
  defaultSettings,
  MODES,
  type Mode,
  type Settings,
  UNSUPPORTED,
  type Value,
} from "./args.ts";
import { nearest } from "./nearest.ts";

/** A command line that has been understood. */
export interface Command {
  readonly mode: Mode;
  readonly settings: Settings;
  /** The arguments that were written, as opposed to left at their defaults. */
  readonly given: ReadonlySet<ArgumentName>;
}

/** What else may be asked: help on everything or on one mode, or the version. */
export type Request =
  | { readonly kind: "run"; readonly command: Command }
  | { readonly kind: "help"; readonly mode: Mode | null }
  | { readonly kind: "version" };

const TASKS = ["detect", "segment", "classify", "pose", "obb"];

/** Reads the words after the program's name. Throws UserError. */
export function parseArguments(argv: readonly string[]): Request {
  const words = mergeEquals(argv);
  const bare = words.filter((word) => !word.includes("="));
  const mode = bare.find(isMode) ?? null;
  if (words.length === 0 || bare.some((word) => ["help", "--help", "-h"].includes(word))) return { kind: "help", mode };
  if (bare.some((word) => ["version", "--version", "-V"].includes(word))) return { kind: "version" };
  if (mode === null) throw unknownMode(bare[0] ?? words[0]!);
  const rest = [...words];
  if (TASKS.includes(rest[0]!)) {
    const task = rest.shift()!;
    if (task !== "detect") throw new UserError(`task: expected detect, got "${task}" (only detection is built in)`);
  }
  if (rest[0] !== mode) throw unknownMode(rest[0]!);
  return { kind: "run", command: readSettings(mode, rest.slice(1)) };
}

/** Reads `key=value` words for a mode into settings. Throws UserError. */
export function readSettings(mode: Mode, words: readonly string[]): Command {
  const settings: Record<string, Value> = defaultSettings();
  const given = new Set<ArgumentName>();
  for (const word of words) {
    const text = word.replace(/^--?/, "").replace(/,$/, "");
    const split = text.indexOf("=");
    const name = split < 0 ? text : text.slice(0, split);
    if (!isArgument(name)) throw unknownArgument(name, mode);
    const argument: Argument = ARGUMENTS[name];
    if (!argument.modes.includes(mode)) {
      throw new UserError(
        `${name}: expected an argument of ${mode}, got one of ${argument.modes.join(" and ")} (leave it out)`,
      );
    }
    if (split < 0 && argument.kind !== "boolean") {
      throw new UserError(`${name}: expected ${name}=${placeholder(argument)}, got no value (write a value after =)`);
    }
    settings[name] = split < 0 ? true : readValue(name, argument, text.slice(split + 1));
    given.add(name);
  }
  return { mode, settings: settings as Settings, given };
}

/** Reads one value's text. Throws UserError naming the argument, what it takes and what came. */
export function readValue(name: string, argument: Argument, text: string): Value {
  const fail = (expected: string, hint = `e.g. ${name}=${argument.default ?? placeholder(argument)}`) =>
    new UserError(`${name}: expected ${expected}, got "${text}" (${hint})`);
  if (/^(none|null)$/i.test(text) && !argument.choices?.includes(text.toLowerCase())) {
    if (argument.default === null) return null;
    throw fail(describeKind(argument));
  }
  switch (argument.kind) {
    case "boolean":
      if (/^(true|1|yes)$/i.test(text)) return true;
      if (/^(false|0|no)$/i.test(text)) return false;
      throw fail("true or false");
    case "integer":
    case "number":
    case "fraction": {
      const value = Number(text);
      if (text.trim() === "" || !Number.isFinite(value)) throw fail(describeKind(argument));
      if (argument.kind === "integer" && !Number.isInteger(value)) throw fail(describeKind(argument));
      if (argument.kind === "fraction" && (value < 0 || value > 1)) throw fail(describeKind(argument));
      if (argument.minimum !== undefined && value < argument.minimum) throw fail(describeKind(argument));
      return value;
    }
    case "text": {
      if (text === "") throw fail(describeKind(argument));
      if (!argument.choices) return text;
      const choice = argument.choices.find((known) => known.toLowerCase() === text.toLowerCase());
      if (choice === undefined) throw fail(describeKind(argument));
      return choice;
    }
    case "integers": {
      const values = items(text).map(Number);
      if (values.length === 0 || values.some((value) => !Number.isInteger(value) || value < 0)) {
        throw fail(describeKind(argument), `e.g. ${name}=0,2`);
      }
      return values;
    }
    default:
      throw new Error(`no reader for kind ${argument.kind satisfies never}`);
  }
}

/** The kind in words, with its range: "an integer of at least 1". */
export function describeKind({ kind, minimum, choices }: Argument): string {
  const least = minimum === undefined ? "" : ` of at least ${minimum}`;
  switch (kind) {
    case "boolean":
      return "true or false";
    case "integer":
      return `an integer${least}`;
    case "number":
      return `a number${least}`;
    case "fraction":
      return "a number from 0 to 1";
    case "text":
      return choices ? `one of ${choices.join(", ")}` : "a text";
    case "integers":
      return "integers separated by commas";
    default:
      throw new Error(`no words for kind ${kind satisfies never}`);
  }
}

const placeholder = ({ kind }: Argument): string => (kind === "text" ? "TEXT" : kind === "boolean" ? "true" : "1");

const items = (text: string): string[] =>
  text
    .replace(/^[[(]|[\])]$/g, "")
    .split(",")
    .map((item) => item.trim().replace(/^["']|["']$/g, ""))
    .filter((item) => item !== "");

const isMode = (word: string): word is Mode => (MODES as readonly string[]).includes(word);
const isArgument = (name: string): name is ArgumentName => Object.hasOwn(ARGUMENTS, name);

/** `epochs = 3`, `epochs =3` and `epochs= 3` become `epochs=3`. */
function mergeEquals(argv: readonly string[]): string[] {
  const words: string[] = [];
  for (const word of argv) {
    const last = words.at(-1);
    if (last !== undefined && (word.startsWith("=") || last.endsWith("="))) words[words.length - 1] = last + word;
    else words.push(word);
  }
  return words;
}

function unknownMode(word: string): UserError {
  const near = nearest(word, MODES);
  const hint = near ? `did you mean ${near}? ` : "";
  return new UserError(`mode: expected one of ${MODES.join(", ")}, got "${word}" (${hint}try: orepa help)`);
}

function unknownArgument(name: string, mode: Mode): UserError {
  if (UNSUPPORTED.has(name)) {
    return new UserError(
      `${name}: expected an argument of ${mode}, got one that this program does not have (leave it out)`,
    );
  }
  const known = Object.entries<Argument>(ARGUMENTS).flatMap(([key, { modes }]) => (modes.includes(mode) ? [key] : []));
  const near = nearest(name, known);
  const hint = near ? `did you mean ${near}?` : `see them all with: orepa ${mode} help`;
  return new UserError(`${name}: expected an argument of ${mode}, got an unknown name (${hint})`);
}
