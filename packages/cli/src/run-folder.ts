// The folder of a run: runs/<task>/<mode>, then <mode>2, <mode>3 ...

import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { UserError } from "@orepa/yolo";
import { stringify } from "yaml";
import type { Settings } from "./args.ts";
import { kindOf, writeAtomic } from "./node-files.ts";

/** Where a run goes. */
export interface RunFolderOptions {
  /** The folder that relative paths start from. */
  readonly cwd: string;
  readonly project: string | null;
  readonly name: string;
  readonly existOk: boolean;
}

/** Makes the folder: the first of name, name2, name3 ... that is not there yet, or name itself with `existOk`. */
export async function createRunFolder({ cwd, project, name, existOk }: RunFolderOptions): Promise<string> {
  const parent = path.resolve(cwd, project ?? path.join("runs", "detect"));
  const make = async (folder: string): Promise<boolean> => {
    try {
      await mkdir(folder);
      return true;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") return false;
      throw new UserError(`${folder}: expected to make this folder, got ${code ?? message} (choose another project=)`);
    }
  };
  try {
    await mkdir(path.dirname(path.join(parent, name)), { recursive: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UserError(`${parent}: expected to make this folder, got ${code ?? message} (choose another project=)`);
  }
  for (let count = 1; ; count++) {
    const folder = path.join(parent, count === 1 ? name : `${name}${count}`);
    if (await make(folder)) return folder;
    if (existOk && (await kindOf(folder)) === "folder") return folder;
  }
}

/** Takes away the folder of a run that failed before it had a result, unless it may have been there before. */
export async function discardRunFolder(folder: string, { exist_ok }: Pick<Settings, "exist_ok">): Promise<void> {
  if (!exist_ok) await rm(folder, { recursive: true });
}

/** Writes args.yaml: every argument with the value that was used. */
export const writeArguments = (folder: string, mode: string, settings: Settings): Promise<void> =>
  writeAtomic(path.join(folder, "args.yaml"), stringify({ task: "detect", mode, ...settings }));
