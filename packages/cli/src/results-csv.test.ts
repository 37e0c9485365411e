// The rows of results.csv and the numbers in them.
import { expect, test } from "vitest";
import { general, RESULT_HEADER, resultLine, resultLines, resultsText } from "./results-csv.ts";

test.each([
  [0, "0"],
  [1, "1"],
  [5.82345678, "5.8235"],
  [0.1, "0.1"],
  [123456, "1.2346e+05"],
  [99999.6, "1e+05"],
  [12345, "12345"],
  [0.00012345, "0.00012345"],
  [0.000012345, "1.2345e-05"],
  [-0.5, "-0.5"],
  [Number.NaN, "nan"],
])("%d is written as C writes it: %s", (value, text) => {
  expect(general(value, 5)).toBe(text);
});

test("a file comes back as its lines, every column 23 wide", () => {
  const row = resultLine({
    epoch: 1,
    trainLoss: [1, 2, 3],
    metrics: [0.1, 0.2, 0.3, 0.4],
    valLoss: [4, 5, 6],
    lr: [0.1, 0, 0],
  });
  expect(row.length).toBe(14 * 24 - 1);
  expect(RESULT_HEADER.length).toBe(row.length);
  expect(resultLines(resultsText([row, row]))).toEqual([row, row]);
});
