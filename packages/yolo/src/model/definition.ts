// Reads model text (YAML) into plain data and says clearly what is wrong with it. It knows nothing of blocks.

import { parse, YAMLParseError } from "yaml";
import { UserError } from "../errors.ts";

/** Depth (repeats), width (channels) and the channel limit of one size of a model. */
export interface Scale {
  readonly name: string;
  readonly depth: number;
  readonly width: number;
  readonly maxChannels: number;
}

/** One layer as written: inputs (-1 is the layer before), repeats before scaling, the block's name and its arguments. */
export interface Row {
  readonly index: number;
  readonly from: number | readonly number[];
  readonly repeats: number;
  readonly block: string;
  readonly args: readonly unknown[];
}

/** A model as written. */
export interface ModelDefinition {
  readonly nc: number | undefined;
  readonly scales: readonly Scale[];
  readonly rows: readonly Row[];
}

/** The text read last: a training builds its model several times. */
let last: { readonly text: string; readonly definition: ModelDefinition } | undefined;

/**
 * The definition in model text.
 * @throws UserError naming the line or row that is not as expected.
 */
export function readDefinition(text: string): ModelDefinition {
  if (last?.text !== text) last = { text, definition: read(text) };
  return last.definition;
}

function read(text: string): ModelDefinition {
  const content = parseYaml(text);
  if (!isRecord(content)) throw wrong("a mapping with backbone and head", content, "see yolo11.yaml");
  const { nc, scales = {}, backbone, head } = content;
  if (nc !== undefined && !isCount(nc)) throw wrong("nc to be a positive whole number", nc);
  const sizes = readScales(scales);
  const rows = [...section("backbone", backbone), ...section("head", head)];
  return { nc, scales: sizes, rows: rows.map(([where, row], index) => readRow(where, row, index)) };
}

function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new UserError(`model text: expected YAML, got ${error.message.split("\n")[0]!.replace(/:$/, "")}`);
  }
}

function readScales(scales: unknown): Scale[] {
  if (!isRecord(scales)) throw wrong("scales to be a mapping like n: [0.50, 0.25, 1024]", scales);
  return Object.entries(scales).map(([name, value]) => {
    const numbers: unknown[] = Array.isArray(value) ? value : [];
    const [depth, width, maxChannels] = numbers;
    if (numbers.length !== 3 || !isPositive(depth) || !isPositive(width) || !isPositive(maxChannels))
      throw wrong(`scale ${name} to be [depth, width, largest number of channels]`, value);
    return { name, depth, width, maxChannels };
  });
}

function section(name: string, rows: unknown): [where: string, row: unknown][] {
  if (!Array.isArray(rows) || rows.length === 0) throw wrong(`${name} to be a list of rows`, rows);
  return rows.map((row: unknown, i) => [`${name} row ${i}`, row]);
}

function readRow(where: string, row: unknown, index: number): Row {
  const parts: unknown[] = Array.isArray(row) ? row : [];
  const [from, repeats, block, args] = parts;
  if (parts.length !== 4 || !Array.isArray(args))
    throw wrong(`${where} to be [from, repeats, block, arguments]`, row, "for example [-1, 1, Conv, [64, 3, 2]]");
  if (typeof block !== "string") throw wrong(`the third entry of ${where} to be the name of a block`, block);
  if (!isCount(repeats)) throw wrong(`the repeats of ${where} to be a positive whole number`, repeats);
  const inputs: unknown[] = Array.isArray(from) ? from : [from];
  const earliest = index === 0 ? -1 : -index;
  for (const input of inputs)
    if (!Number.isInteger(input) || (input as number) < earliest || (input as number) >= index)
      throw wrong(
        `the inputs of ${where} (layer ${index}) to be earlier layers`,
        from,
        index === 0 ? "the first layer takes the image: -1" : `0 to ${index - 1}, or -1 to ${-index} counted back`,
      );
  if (inputs.length === 0) throw wrong(`${where} to have an input`, from);
  return { index, from: from as number | number[], repeats, block, args };
}

const wrong = (expected: string, got: unknown, hint?: string): UserError =>
  new UserError(`model text: expected ${expected}, got ${JSON.stringify(got) ?? "nothing"}${hint ? ` (${hint})` : ""}`);

const isRecord = (value: unknown): value is Record<string, unknown> & DefinitionKeys =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0;
const isPositive = (value: unknown): value is number => typeof value === "number" && value > 0;

interface DefinitionKeys {
  readonly nc?: unknown;
  readonly scales?: unknown;
  readonly backbone?: unknown;
  readonly head?: unknown;
}
