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

test.each([
  [["--help"], "exit 0", "--block NAME"],
  [["--block", "x"], "exit 2", "error: --block: expected one of plain, orepa,"],
  [["--seed", "-1"], "exit 2", "error: Option '--seed' argument is ambiguous"],
  [["--epochs", "0"], "exit 2", "error: --epochs: expected a whole number of at least 1, got 0 (try --help)"],
])("classify-digits %o says so and ends: %s", async (words, ending, text) => {
  const said: string[] = [];
  for (const stream of ["log", "error"] as const)
    vi.spyOn(console, stream).mockImplementation((line: unknown) => void said.push(String(line)));
  vi.spyOn(process, "exit").mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  vi.resetModules();
  process.argv = [...argv.slice(0, 2), ...words];
  await expect(import("./classify-digits.ts")).rejects.toThrow(ending);
  expect(said).toHaveLength(1);
  expect(said[0]).toContain(text);
});
