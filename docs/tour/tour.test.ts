// Runs the code of every lesson and of the README.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { codeOf, run } from "../run-code.ts";

describe("the tour", () => {
  const folder = new URL("./", import.meta.url);
  const lessons = readdirSync(folder).filter((name) => /^\d.*\.md$/.test(name));
  it("has lessons", () => expect(lessons.length).toBeGreaterThanOrEqual(3));
  it.each(lessons)("%s does what it says", async (name) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    const promised = codeOf(text).match(/; \/\/ -> /g)?.length ?? 0;
    expect(promised).toBeGreaterThan(5);
    expect(await run(codeOf(text))).toBeGreaterThanOrEqual(promised);
  });
  it("the README's example does what it says", async () => {
    expect(await run(codeOf(readFileSync(new URL("../../README.md", folder), "utf8")))).toBeGreaterThan(1);
  });
  it("notices a lesson that is wrong", async () => {
    await expect(run("1 + 1; // -> 3")).rejects.toThrow("line 1: the text says 3, the code gives 2");
  });
});
