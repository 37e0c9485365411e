// The lint of kernel text: what gpu.js would compute wrong is refused.
import { describe, expect, test } from "vitest";
import { lintKernel } from "./lint.ts";

const kernel = (body: string) => `function(a0, a1) {\n${body}\n}`;

describe("lintKernel", () => {
  test("takes kernels within the limits", () => {
    const loop = "for (let r0 = 0; r0 < 3; r0++) { s = s + a0[(r0 | 0) * 5 + this.thread.x * (-2) + 7]; }";
    expect(() => lintKernel(kernel(`let s = -Infinity;\n${loop}\nreturn Math.floor(s / 3);`))).not.toThrow();
  });
  test.each([
    ["a name that is declared twice", "let s = 0; for (let s = 0; s < 3; s++) { }  return s;", "declared once"],
    ["a name of a parameter", "for (let a1 = 0; a1 < 3; a1++) { } return 0;", "declared once"],
    ["an unknown name", "return size;", "names that the kernel declares"],
    [
      "a loop without a constant bound",
      "let s = 0; for (let i = 0; i < a0[0]; i++) { s = s + 1; } return s;",
      "bounded",
    ],
    ["while", "let s = 0; while (s < 3) { s = s + 1; } return s;", "for loops"],
    ["%", "return a0[this.thread.x] % 3;", "no %"],
    ["a floating index", "const k = 3; return a0[k];", "whole terms"],
    ["a floating term", "const k = 3; return a0[this.thread.x + k * 2];", "whole terms"],
    ["a division in an index", "return a0[this.thread.x / 2];", "whole terms"],
  ])("refuses %s", (_, body, expected) => {
    expect(() => lintKernel(kernel(body))).toThrow(expected);
  });
});
