// Reads a dataset's data.yaml: where the pictures of each split lie and what the classes are called.
import { parse } from "yaml";
import { UserError } from "../errors.ts";
import type { DataConfig, FileSystem, Split } from "./types.ts";

/**
 * Reads `data.yaml`. `path` is relative to the file; `train`, `val` (or `validation`) and `test` are relative to `path`, each a folder,
 * a text file of paths or a list of these; `names` is a list or a map, or `nc` alone numbers the classes.
 * Throws a UserError that says what is missing and how to write it.
 */
export async function readDataYaml(file: string, fs: FileSystem): Promise<DataConfig> {
  const absolute = fs.resolve(file);
  const kind = await fs.kind(absolute);
  if (kind !== "file") {
    const found = kind === "missing" ? "there is no such file" : "this is a folder";
    throw new UserError(`data: expected a data.yaml, but ${found}: ${absolute} (give data=path/to/data.yaml)`);
  }
  return parseDataYaml(await fs.readText(absolute), absolute, fs);
}

/** As {@link readDataYaml} for a text at hand; `file` is the absolute path that it is taken to lie at. */
export function parseDataYaml(text: string, file: string, fs: FileSystem): DataConfig {
  const yaml = parseMapping(text, file);
  const names = readNames(yaml, file);
  const path = yaml.path ?? ".";
  if (typeof path !== "string") throw new UserError(`${file}: expected path to be a folder, got ${show(path)}`);
  const root = fs.resolve(file, "..", path);
  const read = (key: keyof DataYaml): readonly string[] | null => readPaths(yaml[key], { key, root, file, fs });
  const splits = { train: read("train"), val: read("val") ?? read("validation"), test: read("test") };
  if (splits.train === null && splits.val === null) {
    throw new UserError(
      `${file}: expected train and val to name folders of pictures, found neither (e.g. train: images/train)`,
    );
  }
  return { file, splits, names };
}

/** The paths of a split; throws a UserError where data.yaml names none. */
export function splitPaths(config: DataConfig, split: Split): readonly string[] {
  const paths = config.splits[split];
  if (paths === null) {
    throw new UserError(`${config.file}: expected an entry for ${split}, found none (e.g. ${split}: images/${split})`);
  }
  return paths;
}

/** The keys that are read. */
type DataYaml = Partial<Record<"path" | "train" | "val" | "validation" | "test" | "names" | "nc", unknown>>;

function parseMapping(text: string, file: string): DataYaml {
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch (error) {
    throw new UserError(
      `${file}: not valid YAML: ${String(error instanceof Error ? error.message : error).split("\n")[0]}`,
    );
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UserError(`${file}: expected keys train, val and names, got ${show(parsed)}`);
  }
  return parsed as DataYaml;
}

function readNames(yaml: DataYaml, file: string): readonly string[] {
  const { names, nc } = yaml;
  if (nc !== undefined && !(typeof nc === "number" && Number.isInteger(nc) && nc > 0)) {
    throw new UserError(`${file}: expected nc to be the number of classes, got ${show(nc)}`);
  }
  const count = nc as number | undefined;
  if (names === undefined || names === null) {
    if (count === undefined) {
      throw new UserError(
        `${file}: expected names with the class names, found neither names nor nc (e.g. names: [cat, dog])`,
      );
    }
    return Array.from({ length: count }, (_, i) => `class_${i}`);
  }
  const list = Array.isArray(names) ? names.map(String) : namesOfMap(names, file);
  if (list.length === 0) throw new UserError(`${file}: expected at least one class in names, got none`);
  if (count !== undefined && count !== list.length) {
    throw new UserError(`${file}: expected nc and names to agree, got nc ${count} and ${list.length} names`);
  }
  return list;
}

function namesOfMap(names: unknown, file: string): string[] {
  if (typeof names !== "object" || names === null) {
    throw new UserError(`${file}: expected names to be a list or a map of index: name, got ${show(names)}`);
  }
  const map = new Map(Object.entries(names).map(([key, name]) => [Number(key), String(name)]));
  return Array.from({ length: map.size }, (_, i) => {
    const name = map.get(i);
    if (name === undefined) {
      throw new UserError(`${file}: expected names to be numbered 0..${map.size - 1}, got no name for ${i}`);
    }
    return name;
  });
}

function readPaths(
  value: unknown,
  { key, root, file, fs }: { key: string; root: string; file: string; fs: FileSystem },
): readonly string[] | null {
  if (value === undefined || value === null) return null;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((entry) => {
    if (typeof entry !== "string" || entry === "") {
      throw new UserError(
        `${file}: expected ${key} to be a folder, a text file or a list of these, got ${show(value)}`,
      );
    }
    return fs.resolve(root, entry);
  });
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
