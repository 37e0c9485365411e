// Runs the `@example` of every doc comment.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { run } from "./run-code.ts";

/** The examples of a source file: the comment lines after `@example`, up to the next tag or the comment's end. */
const examples = (source: string): string[] =>
  [...source.matchAll(/^ *\* @example\n((?: *\*(?! @|\/).*\n)*)/gm)].map((match) => match[1]!.replace(/^ *\* ?/gm, ""));

const packages = fileURLToPath(new URL("../packages/", import.meta.url));
const found = ["tensor", "autograd", "orepa", "yolo"].flatMap((name) =>
  readdirSync(`${packages}${name}/src`, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .flatMap((file) =>
      examples(readFileSync(`${packages}${name}/src/${file}`, "utf8")).map((code) => ({
        file: `${name}/src/${file}`,
        code,
      })),
    ),
);

describe("examples of doc comments", () => {
  it("are there", () => expect(found.length).toBeGreaterThan(10));
  it.each(found)("$file", async ({ code }) => {
    await run(code, { ambient: true });
  });
});
