// The machine's limit is a rate of all threads together.
import { expect, test } from "vitest";
import { openLimit } from "./limit.ts";

test.each([1, 2])("the limit of %i threads is a positive rate, again at every measurement", async (threads) => {
  const limit = await openLimit(threads);
  try {
    for (let i = 0; i < 3; i++) {
      const rate = await limit.measure(1);
      expect(rate).toBeGreaterThan(0);
      expect(Number.isFinite(rate)).toBe(true);
    }
  } finally {
    await limit.close();
  }
});
