// What @orepa/tensor and @orepa/autograd weigh in a page, minified, and that gpu.js comes only to those who open a gpu device.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Rollup } from "vite";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL(".", import.meta.url));
const ENTRY = "\0everything";
const source = 'export * from "@orepa/tensor"; export * from "@orepa/autograd";';
/** Everything that the two packages offer, in a library of its own. */
async function bundle(): Promise<readonly Rollup.OutputChunk[]> {
  const everything = {
    name: "everything",
    resolveId: (id: string, from?: string) => {
      if (id === ENTRY) return id;
      return from === ENTRY
        ? fileURLToPath(new URL(`../../packages/${id.slice("@orepa/".length)}/src/index.ts`, import.meta.url))
        : undefined;
    },
    load: (id: string) => (id === ENTRY ? source : undefined),
  };
  const result = await build({
    root,
    logLevel: "error",
    plugins: [everything],
    build: { write: false, rollupOptions: { input: ENTRY, preserveEntrySignatures: "strict" } },
  });
  return (result as Rollup.RollupOutput).output.filter((part) => part.type === "chunk");
}
const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;
const part = (path: string): string =>
  /packages\/(\w+)\/src\/(devices\/\w+)?/.exec(path)?.slice(1).filter(Boolean).join(" ") ??
  /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(path)?.[1] ??
  "other";

test("gpu.js is a chunk that only a gpu device loads", async () => {
  const chunks = await bundle();
  for (const { fileName, code, isDynamicEntry, modules } of chunks) {
    const parts = new Map<string, number>();
    for (const [path, { renderedLength }] of Object.entries(modules))
      parts.set(part(path), (parts.get(part(path)) ?? 0) + renderedLength);
    const largest = [...parts].sort((a, b) => b[1] - a[1]).slice(0, 6);
    const shares = largest.map(([name, length]) => `${name} ${kilobytes(length)}`).join(", ");
    const size = `${kilobytes(code.length)}, gzip ${kilobytes(gzipSync(code).length)}`;
    console.log(`${isDynamicEntry ? "for a gpu" : "at once"} ${fileName}: ${size} (before minifying: ${shares})`);
  }
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  /** What is loaded with a chunk, without waiting for anybody to ask. */
  const static_ = (chunk: Rollup.OutputChunk): Rollup.OutputChunk[] => [
    chunk,
    ...chunk.imports.flatMap((name) => static_(byName.get(name)!)),
  ];
  const modules = static_(chunks.find(({ isEntry }) => isEntry)!).flatMap((chunk) => Object.keys(chunk.modules));
  expect(modules.filter((path) => /node_modules\/(gpu\.js|acorn)\//.test(path))).toEqual([]);
  expect(chunks.some((chunk) => Object.keys(chunk.modules).some((path) => /node_modules\/gpu\.js\//.test(path)))).toBe(
    true,
  );
});
