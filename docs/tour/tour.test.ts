// Runs the code of every lesson, and of the README, and checks what it promises: `expression; // -> value`.
import { readdirSync, readFileSync } from "node:fs";
import { transformWithEsbuild } from "vite";
import { describe, expect, it } from "vitest";
import * as autograd from "../../packages/autograd/src/index.ts";
import * as orepa from "../../packages/orepa/src/index.ts";
import * as tensor from "../../packages/tensor/src/index.ts";

const modules: Record<string, object> = {
  "@orepa/tensor": tensor,
  "@orepa/autograd": autograd,
  "@orepa/orepa": orepa,
};
const significantDigits = 4;
/** The constructor of async functions, which has no name of its own: code from a lesson may `await`. */
const AsyncFunction = (async () => {}).constructor as FunctionConstructor;

/** The TypeScript of a lesson: all its blocks as one program, every other line empty so that line numbers agree. */
function program(markdown: string): string {
  let inside = false;
  return markdown
    .split("\n")
    .map((line) => {
      const fence = line.startsWith("```");
      if (fence) inside = line === "```ts";
      return inside && !fence ? line : "";
    })
    .join("\n");
}

/** Imports become lookups, and promised values become calls of `check`. */
const executable = (code: string): string =>
  code
    .replace(/^import (\{[^}]*\}) from "([^"]+)";/gm, 'const $1 = modules["$2"];')
    .split("\n")
    .map((line, i) => {
      const promise = /^(\s*)(?:const (\w+) = )?(.*); \/\/ -> (.*)$/.exec(line);
      if (!promise) return line;
      const [, indent, name, expression, value] = promise;
      const call = `check(${name ?? expression}, ${JSON.stringify(value)}, ${i + 1});`;
      return name ? `${indent}const ${name} = ${expression}; ${call}` : `${indent}${call}`;
    })
    .join("\n");

/** How a value reads in a comment: fractions with four digits, tensors as nested arrays, text as it is. */
function show(value: unknown): string {
  if (value instanceof tensor.Tensor) return show(value.toArray());
  if (typeof value === "number")
    return String(Number.isInteger(value) ? value : Number(value.toPrecision(significantDigits)));
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  return String(value);
}

async function run(lesson: string): Promise<number> {
  const { code } = await transformWithEsbuild(executable(program(lesson)), "lesson.ts", {
    loader: "ts",
    sourcemap: false,
  });
  let checked = 0;
  const check = (value: unknown, promised: string, line: number): void => {
    checked++;
    if (show(value) !== promised)
      throw new Error(`line ${line}: the lesson says ${promised}, the code gives ${show(value)}`);
  };
  await new AsyncFunction("modules", "check", `"use strict";\n${code}`)(modules, check);
  return checked;
}

describe("the tour", () => {
  const folder = new URL("./", import.meta.url);
  const lessons = readdirSync(folder).filter((name) => /^\d.*\.md$/.test(name));
  it("has lessons", () => expect(lessons.length).toBeGreaterThanOrEqual(3));
  it.each(lessons)("%s does what it says", async (name) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    const promised = program(text).match(/; \/\/ -> /g)?.length ?? 0;
    expect(promised).toBeGreaterThan(5);
    expect(await run(text)).toBeGreaterThanOrEqual(promised);
  });
  it("the README's example does what it says", async () => {
    expect(await run(readFileSync(new URL("../../README.md", folder), "utf8"))).toBeGreaterThan(1);
  });
  it("notices a lesson that is wrong", async () => {
    await expect(run("```ts\n1 + 1; // -> 3\n```")).rejects.toThrow("line 2: the lesson says 3, the code gives 2");
  });
});
