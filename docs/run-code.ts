// Runs code from Markdown and doc comments and checks what it promises: `expression; // -> value`.
import { transformWithEsbuild } from "vite";
import * as autograd from "../packages/autograd/src/index.ts";
import * as orepa from "../packages/orepa/src/index.ts";
import * as tensor from "../packages/tensor/src/index.ts";
import * as yolo from "../packages/yolo/src/index.ts";

const modules: Record<string, object> = {
  "@orepa/tensor": tensor,
  "@orepa/autograd": autograd,
  "@orepa/orepa": orepa,
  "@orepa/yolo": yolo,
};
const significantDigits = 4;
/** The constructor of async functions, which has no name of its own: code from a lesson may `await`. */
const AsyncFunction = (async () => {}).constructor as FunctionConstructor;

/** The TypeScript of a text in Markdown: all its blocks as one program, every other line empty so that line numbers agree. */
export function codeOf(markdown: string): string {
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

/**
 * Runs TypeScript and checks its promises; answers how many there were. Names of the packages can be imported; with `ambient` they
 * are simply there, as in the example of a doc comment.
 * @throws Error with the line if a value is another than promised.
 */
export async function run(text: string, { ambient = false } = {}): Promise<number> {
  const { code } = await transformWithEsbuild(executable(text), "code.ts", { loader: "ts", sourcemap: false });
  let checked = 0;
  const check = (value: unknown, promised: string, line: number): void => {
    checked++;
    if (show(value) !== promised)
      throw new Error(`line ${line}: the text says ${promised}, the code gives ${show(value)}`);
  };
  const exported = Object.assign({}, ...Object.values(modules));
  const names = ambient ? Object.keys(exported).filter((name) => new RegExp(`\\b${name}\\b`).test(code)) : [];
  const scope = `const { ${names.join(", ")} } = exported;`;
  await new AsyncFunction("modules", "exported", "check", `"use strict";\n${scope}\n{ ${code} }`)(
    modules,
    exported,
    check,
  );
  return checked;
}
