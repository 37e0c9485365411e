// Files through node:fs: reading for the datasets, atomic writing for the run folders.

import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { type FileSystem, UserError } from "@orepa/yolo";

/** A file system whose relative paths start from `cwd`. Failures become UserErrors that name the path. */
export function nodeFiles(cwd: string): FileSystem {
  return {
    readText: (file) => attempt("read", file, () => readFile(file, "utf8")),
    readBytes: (file) => attempt("read", file, () => readFile(file)),
    list: (folder) =>
      attempt("list", folder, async () => {
        const entries = await readdir(folder, { recursive: true, withFileTypes: true });
        // A symbolic link counts as the file that it usually is; a broken one is reported when it is read.
        return entries.filter((entry) => !entry.isDirectory()).map((entry) => path.join(entry.parentPath, entry.name));
      }),
    kind: kindOf,
    resolve: (...parts) => path.resolve(cwd, ...parts),
  };
}

/** What lies at a path. */
export async function kindOf(file: string): Promise<"file" | "folder" | "missing"> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw new UserError(
      `${file}: expected a readable path, got ${error.code ?? error.message} (check its permissions)`,
    );
  });
  if (found === null) return "missing";
  return found.isDirectory() ? "folder" : "file";
}

/** Writes a file whole or not at all: into a temporary file beside it, which then takes its name. Makes the folder. */
export async function writeAtomic(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.${process.pid}.part`;
  await attempt("write", file, async () => {
    await mkdir(path.dirname(file), { recursive: true });
    try {
      await writeFile(temporary, content);
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  });
}

async function attempt<T>(verb: string, file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "no such file" : (code ?? message);
    throw new UserError(`${file}: expected to ${verb} it, got ${reason} (check the path and its permissions)`);
  }
}
