// The example on a few digits: it trains, deploys, and has the same accuracy before and after.
import { afterEach, expect, test, vi } from "vitest";

const { argv } = process;
afterEach(() => {
  process.argv = argv;
  vi.restoreAllMocks();
});

test("classify-digits prints the accuracy of every epoch and of the deployed network", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  process.argv = [...argv.slice(0, 2), "--digits", "20", "--epochs", "1", "--block", "dbb"];
  await import("./classify-digits.ts");
  const lines = log.mock.calls.map(([text]) => String(text));
  expect(lines[0]).toMatch(/^ResNet of dbb blocks, 200 digits to train on, 1\d{3} to test on$/);
  const before = /^epoch 1\/1: loss \d\.\d{4}, accuracy (\d+\.\d\d) %/.exec(lines[1]!)![1]!;
  const after = /^accuracy of the deployed network (\d+\.\d\d) %$/.exec(lines[3]!)![1]!;
  expect(Number(after)).toBeCloseTo(Number(before), 0);
});
