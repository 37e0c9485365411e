// The limits of gpu.js's kernel language, checked before a kernel is compiled: beyond them gpu.js computes wrong values
// without a word, in some modes or in all.
import { type Node, parse } from "acorn";
import { OpError } from "../../errors.ts";

/** Any node of a syntax tree, with the fields that are looked at; its type says which of them it has. */
interface Tree extends Node {
  readonly name?: string;
  readonly operator?: string;
  readonly computed?: boolean;
  readonly params?: readonly Tree[];
  readonly expression?: Tree;
  readonly id?: Tree;
  readonly body?: Tree;
  readonly test?: Tree;
  readonly object?: Tree;
  readonly property?: Tree;
  readonly argument?: Tree;
  readonly left?: Tree;
  readonly right?: Tree;
}
const isTree = (x: unknown): x is Tree => typeof (x as Partial<Node> | null)?.type === "string";
const KNOWN: ReadonlySet<string | undefined> = new Set(["Math", "Infinity"]);

/**
 * @throws OpError if a name is declared twice (scopes leak into each other) or not at all, a loop may end early (a bound
 * that is no number stops at 1000 turns), `%` is used or an index divides (both are floating, and may be off by one),
 * or a term of an index is floating (exact to 2^24 only).
 */
export function lintKernel(text: string): void {
  const bad = (expected: string, got: string): never => {
    throw new OpError("gpu kernel", expected, got, text);
  };
  const program = parse(`(${text})`, { ecmaVersion: 2020 }) as unknown as { readonly body: readonly Tree[] };
  const fn = program.body[0]!.expression!;
  const declared = new Set(fn.params!.map((p) => p.name));
  const arrays = new Set(declared);

  const checkTerm = (term: Tree): void => {
    const at = (part: Tree): boolean =>
      part.type === "Literal" ||
      (part.type === "UnaryExpression" && part.argument!.type === "Literal") ||
      (part.type === "BinaryExpression" && part.operator === "|") ||
      isThread(part);
    const product = term.type === "BinaryExpression" && term.operator === "*";
    if (product ? !(at(term.left!) && at(term.right!)) : !at(term))
      bad("an index of whole terms, (x | 0) * n", text.slice(term.start - 1, term.end - 1));
  };
  const checkIndex = (node: Tree): void => {
    if (node.type === "BinaryExpression" && node.operator === "+") {
      checkIndex(node.left!);
      checkIndex(node.right!);
    } else checkTerm(node);
  };
  const walk = (node: Tree): void => {
    if (node.type === "VariableDeclarator") {
      const name = node.id!.name!;
      if (declared.has(name)) bad("names declared once", name);
      declared.add(name);
    }
    if (node.type === "ForStatement" && node.test!.right!.type !== "Literal")
      bad("loops bounded by a number", text.slice(node.start - 1, node.body!.start - 1));
    if (node.type === "WhileStatement" || node.type === "DoWhileStatement") bad("for loops", node.type);
    if (node.type === "BinaryExpression" && node.operator === "%") bad("no %", "one");
    if (node.type === "MemberExpression") {
      if (node.computed && arrays.has(node.object!.name)) checkIndex(node.property!);
      walk(node.object!);
      if (node.computed) walk(node.property!);
      return;
    }
    if (node.type === "Identifier" && !declared.has(node.name) && !KNOWN.has(node.name))
      bad("names that the kernel declares", node.name!);
    for (const child of Object.values(node).flat()) if (isTree(child)) walk(child);
  };
  walk(fn.body!);
}

/** this.thread.x and the like. */
function isThread(node: Tree): boolean {
  if (node.type !== "MemberExpression") return false;
  const object = node.object!;
  return object.type === "MemberExpression" && object.property!.name === "thread";
}
