// modules=: blocks of the user's own, from JavaScript modules.

import { pathToFileURL } from "node:url";
import * as autograd from "@orepa/autograd";
import * as orepa from "@orepa/orepa";
import * as tensor from "@orepa/tensor";
import * as yolo from "@orepa/yolo";
import { type BlockBuilder, type BlockRegistry, UserError } from "@orepa/yolo";
import type { Place } from "./models.ts";
import { kindOf, nodeFiles } from "./node-files.ts";
import { registry } from "./registry.ts";

/** The packages, as a module of blocks is handed them: it needs none of its own and cannot meet other copies of them. */
const packages = { tensor, autograd, orepa, yolo } as const;

/**
 * The blocks that models may name: those of this program and those of the user's modules. A module's default export is a
 * function from the packages to builders by name.
 * @throws UserError that names the file and what is wrong with it.
 */
async function registryOf(modules: string | null, cwd: string): Promise<BlockRegistry> {
  let blocks: BlockRegistry = registry;
  for (const name of (modules ?? "").split(",").map((part) => part.trim())) {
    if (name === "") continue;
    const file = nodeFiles(cwd).resolve(name);
    const added = await readModule(file);
    const known = Object.keys(added).find((block) => Object.hasOwn(blocks, block));
    if (known !== undefined)
      throw new UserError(
        `modules: expected blocks with names of their own, got ${known} again in ${file} (rename it)`,
      );
    blocks = { ...blocks, ...added };
  }
  return blocks;
}

/** Where the models of a command are looked for. */
export const placeOf = async ({ modules }: { readonly modules: string | null }, cwd: string): Promise<Place> => ({
  cwd,
  registry: await registryOf(modules, cwd),
});

const HINT = "see README.md, Blocks of your own";

async function readModule(file: string): Promise<BlockRegistry> {
  if ((await kindOf(file)) !== "file")
    throw new UserError(`modules: expected a JavaScript file, but there is none at ${file} (check the path)`);
  let loaded: { readonly default?: unknown };
  try {
    loaded = await import(pathToFileURL(file).href);
  } catch (error) {
    throw new UserError(`modules: expected ${file} to load, got ${messageOf(error)} (${HINT})`);
  }
  const { default: make } = loaded;
  if (typeof make !== "function")
    throw new UserError(
      `modules: expected ${file} to export a function as its default, got ${make === undefined ? "none" : typeof make} (${HINT})`,
    );
  let blocks: unknown;
  try {
    blocks = (make as (given: typeof packages) => unknown)(packages);
  } catch (error) {
    throw new UserError(
      `modules: expected the function of ${file} to return blocks, got ${messageOf(error)} (${HINT})`,
    );
  }
  if (!isRegistry(blocks))
    throw new UserError(
      `modules: expected the function of ${file} to return builders by the names of their blocks, got ${describe(blocks)} (${HINT})`,
    );
  return blocks;
}

/** At least one builder, and nothing else. */
const isRegistry = (value: unknown): value is Readonly<Record<string, BlockBuilder>> =>
  typeof value === "object" &&
  value !== null &&
  Object.keys(value).length > 0 &&
  Object.values(value).every((builder) => typeof builder === "function");

const describe = (value: unknown): string =>
  typeof value === "object" && value !== null ? `{${Object.keys(value).join(", ")}}` : String(value);
const messageOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);
