// For tests: one JavaScript file made of a TypeScript entry and all it imports. Worker threads and child processes of Node
// 20 cannot run the sources themselves, and what was compiled before may be another version.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "vite";

export interface Bundle {
  readonly url: URL;
  remove(): Promise<void>;
}

/** Bundles an entry, without its dependencies from node_modules. */
export async function bundle(entry: URL): Promise<Bundle> {
  const folder = await mkdtemp(join(tmpdir(), "orepa-bundle-"));
  await build({
    ...{ configFile: false, logLevel: "error", envFile: false, publicDir: false },
    resolve: { conditions: ["development", "module", "node", "default"] },
    build: {
      ...{ ssr: true, outDir: folder, emptyOutDir: false, minify: false, target: "node20" },
      rollupOptions: { input: fileURLToPath(entry), output: { entryFileNames: "entry.mjs" } },
    },
  });
  return { url: pathToFileURL(join(folder, "entry.mjs")), remove: () => rm(folder, { recursive: true }) };
}
