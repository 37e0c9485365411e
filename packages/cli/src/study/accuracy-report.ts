// The part of the study's report about accuracy: means over seeds, how far they spread, and the differences from plain blocks.

import { barChart } from "../charts.ts";
import type { AccuracyRow } from "./accuracy-study.ts";
import { methodsOf, table, title } from "./markdown.ts";
import type { MethodName } from "./methods.ts";

/** The section, and its charts by the names of their files. */
export function accuracySection(accuracy: readonly AccuracyRow[]): string[] {
  if (accuracy.length === 0) return [];
  const hasPlain = accuracy.some(({ method }) => method === "plain");
  const sections = dataOf(accuracy).map((data) => [
    "",
    `### On ${fileName(data)}`,
    "",
    ...table(
      ["method", "seeds", "mAP50", "mAP50-95", ...(hasPlain ? ["more than plain"] : []), "every mAP50-95"],
      summaries(accuracy, data).map(({ method, all, failed, map50, map, gain }) => [
        title(method),
        `${all.length}${failed > 0 ? ` (${failed} failed)` : ""}`,
        spread(map50),
        spread(map),
        ...(hasPlain ? [method === "plain" ? "" : signed(gain)] : []),
        all.map((value) => (Number.isNaN(value) ? "failed" : value.toFixed(3))).join(", "),
      ]),
      1,
    ),
    "",
    `![mAP50-95 on ${fileName(data)}](${chartFile(data)})`,
  ]);
  return [
    "",
    "## Accuracy",
    "",
    "Short trainings with the same seeds, pictures and settings for every method, measured on the deployed networks: mean and sample",
    "standard deviation over the seeds. *More than plain* is the mean, with its deviation, of the differences from the plain network of",
    "the same seed. With so few seeds a difference that is not well beyond its deviation says nothing about a method, and short",
    "trainings say little about long ones.",
    ...sections.flat(),
  ];
}

/** A chart for each data. */
export const accuracyCharts = (accuracy: readonly AccuracyRow[]) =>
  dataOf(accuracy).map((data) => ({
    file: chartFile(data),
    svg: barChart(
      `mAP50-95 in percent, ${fileName(data)}`,
      summaries(accuracy, data).flatMap(({ method, map }) =>
        Number.isNaN(map.mean) ? [] : [{ label: title(method), value: Number((100 * map.mean).toFixed(1)) }],
      ),
    ),
  }));

interface Statistics {
  readonly mean: number;
  readonly deviation: number;
}

/** The methods of some data, each with its values; trainings that failed count in none but their own number. */
function summaries(accuracy: readonly AccuracyRow[], data: string) {
  const rows = accuracy.filter((row) => row.data === data);
  const of = (method: MethodName, seed: number): number =>
    rows.find((row) => row.method === method && row.seed === seed)?.map50_95 ?? Number.NaN;
  return methodsOf(rows).map((method) => {
    const own = rows.filter((row) => row.method === method);
    const all = own.map((row) => row.map50_95);
    return {
      method,
      all,
      failed: all.filter(Number.isNaN).length,
      map50: statistics(own.map((row) => row.map50)),
      map: statistics(all),
      gain: statistics(own.map(({ seed, map50_95 }) => map50_95 - of("plain", seed))),
    };
  });
}

function statistics(given: readonly number[]): Statistics {
  const values = given.filter((value) => !Number.isNaN(value));
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : Number.NaN };
}

function spread({ mean, deviation }: Statistics): string {
  if (Number.isNaN(mean)) return "-";
  return Number.isNaN(deviation) ? mean.toFixed(3) : `${mean.toFixed(3)} ± ${deviation.toFixed(3)}`;
}
const signed = (value: Statistics): string => `${value.mean > 0 ? "+" : ""}${spread(value)}`;

const dataOf = (rows: readonly AccuracyRow[]): string[] => [...new Set(rows.map(({ data }) => data))];
/** `.../bccd/data.yaml`: bccd. */
const fileName = (data: string): string =>
  data
    .replace(/[/\\]?data\.ya?ml$|\.ya?ml$/, "")
    .split(/[/\\]/)
    .at(-1)!
    .replace(/[^\w-]+/g, "-") || "data";
const chartFile = (data: string): string => `study-map-${fileName(data)}.svg`;
