// Random streams: leaving numbers out gives what drawing them gives.
import { expect, test } from "vitest";
import { Generator } from "./random.ts";

test.each([0, 1, 2, 3, 1000, 49_152])("leaving out %i numbers is drawing them", (count) => {
  const [drawn, left] = [new Generator("a"), new Generator("a")];
  for (let i = 0; i < count; i++) drawn.uniform();
  left.skip(count);
  expect([left.uniform(), left.normal(), left.normal()]).toEqual([drawn.uniform(), drawn.normal(), drawn.normal()]);
});

test("no half of a pair of normal numbers outlives a gap", () => {
  const [drawn, left] = [new Generator(1), new Generator(1)];
  for (const generator of [drawn, left]) generator.normal();
  drawn.normal();
  left.skip(0);
  expect(left.normal()).toBe(drawn.normal());
});

test("an array is filled as if number by number", () => {
  const [one, all] = [new Generator("b"), new Generator("b")];
  const data = new Float64Array(50);
  all.fillUniform(data, -2, 3);
  expect([...data, all.uniform()]).toEqual([...Array.from(data, () => -2 + 5 * one.uniform()), one.uniform()]);
});
