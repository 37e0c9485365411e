// The study's report of made-up figures: comparisons, spreads, trainings that failed, and charts that lie beside it.
import { expect, test } from "vitest";
import type { BlockRow } from "./study/block-study.ts";
import type { MethodName } from "./study/methods.ts";
import { type Study, studyCharts, studyReport } from "./study/report.ts";

const block = (method: MethodName, channels: number, kept: number, ms: number): BlockRow => ({
  ...{ method, channels, size: 7, batch: 2, bytes_kept: kept * 2 ** 20, planned_bytes: 2 ** 21, parameters: 1234 },
  ...{ step_ms: ms, step_ms_quartiles: [ms - 1, ms + 2], flops: 2e9, extra_flops: 1e9 },
});
const trainings = (method: MethodName, ...values: number[]) =>
  values.map((map50_95, seed) => ({ data: "/data/bccd/data.yaml", method, seed, map50: map50_95 + 0.1, map50_95 }));

const study: Study = {
  setting: ["some processor, 2 cores", "load average at the start 0.10"],
  blocks: [
    ...[block("plain", 64, 10, 100), block("dbb", 64, 40, 300), block("orepa", 64, 11, 110)],
    ...[block("plain", 512, 10, 100), block("dbb", 512, 40, 150), block("orepa", 512, 20, 200)],
  ],
  model: { label: "tiny", imgsz: 32, batch: 2, rows: [] },
  accuracy: [...trainings("plain", 0.5, 0.6), ...trainings("orepa", 0.52, 0.64), ...trainings("dbb", Number.NaN, 0.55)],
};

test("says what was compared, on what, and where OREPA is not the faster one", () => {
  const text = studyReport(study);
  expect(text).toContain("- **OREPA**: online re-parameterization (arXiv 2204.00826)");
  expect(text).not.toContain("**RepVGG**");
  expect(text).toContain("- some processor, 2 cores");
  expect(text).toContain("| 64 ch, 7 px, batch 2 | -10 % | 0.91x | 73 % | 2.73x |");
  expect(text).toContain("Its step was slower than that of DBB at 512 ch, 7 px, batch 2:");
  expect(text).toContain(
    "| 64 ch, 7 px, batch 2 | OREPA | 11.0 | 2.0 | 110.0 (109.0 to 112.0) | 1.10x | 1,234 | 1.00 |",
  );
  const faster = studyReport({ ...study, blocks: study.blocks.slice(0, 3) });
  expect(faster).toContain("faster than those of all other branched blocks at every size");
  expect(studyReport({ ...study, blocks: [], accuracy: [] })).not.toContain("##");
});

test("gives means with their spread, differences seed by seed, and what failed", () => {
  const text = studyReport(study);
  expect(text).toContain("### On bccd");
  expect(text).toContain("| plain | 2 | 0.650 ± 0.071 | 0.550 ± 0.071 |  | 0.500, 0.600 |");
  expect(text).toContain("| OREPA | 2 | 0.680 ± 0.085 | 0.580 ± 0.085 | +0.030 ± 0.014 | 0.520, 0.640 |");
  expect(text).toContain("| DBB | 2 (1 failed) | 0.650 | 0.550 | -0.050 | failed, 0.550 |");
  expect(text).not.toContain("NaN");
  const alone = studyReport({ ...study, accuracy: trainings("orepa", 0.5) });
  expect(alone).not.toContain("more than plain |");
});

test("names every chart by a file that lies beside it", () => {
  const named = [...studyReport(study).matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, file]) => file);
  expect(named).toEqual(["study-kept.svg", "study-step.svg", "study-map-bccd.svg"]);
  expect(studyCharts(study).map(({ file }) => file)).toEqual(named);
  for (const { svg } of studyCharts(study)) expect(svg).toMatch(/^<svg/);
});
