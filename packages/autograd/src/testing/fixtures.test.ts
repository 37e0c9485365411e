// The fixture generator against the check values of fixtures/README.md and the weight rule row by row.
import { expect, test } from "vitest";
import { drawFixture, fixtureWeights, fnv1a } from "./fixtures.ts";

test("fnv1a gives the published hashes", () => {
  expect(fnv1a("")).toBe(2166136261);
  expect(fnv1a("a")).toBe(3826002220);
  expect(fnv1a("model.0.conv.weight")).toBe(3366323102);
});

test("drawFixture gives the published first draws, scaled to its range", () => {
  const draws = [0.588103887392208, 0.6253206448163837, 0.9313438315875828, 0.3734938008710742];
  expect([...drawFixture("model.0.conv.weight", [2, 2], 0, 1)]).toEqual(draws.map(Math.fround));
  expect([...drawFixture("model.0.conv.weight", [4], -3, 3)]).toEqual(draws.map((u) => Math.fround(-3 + 6 * u)));
});

test("the weight rule depends on the end of the key and the rank, in the order of its table", () => {
  const u = (key: string) => drawFixture(key, [1], 0, 1)[0]!;
  expect(fixtureWeights("a.bn.num_batches_tracked", [])).toEqual(new Float32Array(1));
  expect(fixtureWeights("model.23.dfl.conv.weight", [1, 16, 1, 1])?.[15]).toBe(15);
  expect(fixtureWeights("dfl/conv.weight", [1, 16, 1, 1])?.[3]).toBe(3);
  for (const name of ["weight_orepa_prior", "weight_orepa_avg_avg", "id_tensor"]) {
    expect(fixtureWeights(`a.${name}`, [2, 2])).toBeUndefined();
  }
  expect(fixtureWeights("bn.running_var", [1])?.[0]).toBeCloseTo(0.5 + u("bn.running_var"), 6);
  expect(fixtureWeights("bn.running_mean", [1])?.[0]).toBeCloseTo(0.1 * (2 * u("bn.running_mean") - 1), 7);
  expect(fixtureWeights("a.vector", [6, 4])?.[0]).toBeCloseTo(0.25 + 0.5 * u("a.vector"), 6);
  expect(fixtureWeights("c.weight", [4, 3, 1, 2])?.[0]).toBeCloseTo(2 * u("c.weight") - 1, 6);
  expect(fixtureWeights("bn.weight", [1])?.[0]).toBeCloseTo(0.75 + 0.5 * u("bn.weight"), 6);
  expect(fixtureWeights("bn.bias", [1])?.[0]).toBeCloseTo(0.1 * (2 * u("bn.bias") - 1), 7);
});
