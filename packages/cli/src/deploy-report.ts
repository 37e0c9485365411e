// What deploying did to a network, as text: a few lines for the console, and every block for a file.

import type { BlockReport, Costs, ModelReport } from "@orepa/orepa";

/** One row for each kind of block, with the block that differs most, and one for the whole network. */
export function deploySummary(report: ModelReport): string[] {
  const kinds = [...new Set(report.blocks.map(({ kind }) => kind))];
  const rows = kinds.map((kind) => {
    const blocks = report.blocks.filter((block) => block.kind === kind);
    const worst = blocks.reduce((a, b) => (b.deviation > a.deviation ? b : a));
    return [String(blocks.length), kind, deviation(worst), worst.path, ...costs(totalOf(blocks))];
  });
  return table(
    ["blocks", "kind", "deviation", "largest at", ...COSTS],
    [...rows, [String(report.blocks.length), "whole network", deviation(report), "", ...costs(report)]],
    new Set([1, 3]),
  );
}

/** One row for each block, in the network's order, and what the columns mean. */
export function deployDetails(report: ModelReport, { label, side }: { label: string; side: number }): string {
  const rows = report.blocks.map((block) => [block.path, block.kind, deviation(block), ...costs(block)]);
  return [
    `${label}: what became of every block when its branches and norms were merged into one plain convolution.`,
    "",
    "deviation: largest difference from the block's output before the activation, relative to the largest output, on noise, in",
    "float64 with the weights as they were rounded for the file.",
    `GFLOP: operations of one picture of ${side} x ${side} pixels, two for a multiply-add, the merge of kernels included before.`,
    "The whole network has layers beside these blocks.",
    "",
    ...table(
      ["block", "kind", "deviation", ...COSTS],
      [...rows, ["whole network", "", deviation(report), ...costs(report)]],
      new Set([0, 1]),
    ),
    "",
  ].join("\n");
}

const COSTS = ["parameters", "deployed", "GFLOP", "deployed"] as const;

const costs = ({ parameters, flops }: Costs): string[] => [
  ...[parameters.before, parameters.after].map((n) => n.toLocaleString("en-US")),
  ...[flops.before, flops.after].map((n) => (n / 1e9).toFixed(3)),
];

function totalOf(blocks: readonly BlockReport[]): Costs {
  const total = (what: "parameters" | "flops") => ({
    before: blocks.reduce((sum, block) => sum + block[what].before, 0),
    after: blocks.reduce((sum, block) => sum + block[what].after, 0),
  });
  return { parameters: total("parameters"), flops: total("flops") };
}

const deviation = ({ deviation: value }: { readonly deviation: number }): string => value.toExponential(1);

/** Columns two spaces apart; those in `left` begin together, the others end together. */
function table(head: readonly string[], rows: readonly (readonly string[])[], left: ReadonlySet<number>): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const cell = (text: string, column: number): string =>
    left.has(column) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!);
  return all.map((row) => row.map(cell).join("  ").trimEnd());
}
