// The study as a Markdown report with charts.

import { barChart, type LineChart, lineCharts } from "../charts.ts";
import type { AccuracyRow } from "./accuracy-study.ts";
import type { BlockRow } from "./block-study.ts";
import { METHODS, type MethodName, methodNames } from "./methods.ts";
import type { ModelRow } from "./model-study.ts";

/** All results, and what they were measured on. */
export interface Study {
  /** Lines about the machine, the device and the settings. */
  readonly setting: readonly string[];
  readonly blocks: readonly BlockRow[];
  readonly model: {
    readonly label: string;
    readonly imgsz: number;
    readonly batch: number;
    readonly rows: readonly ModelRow[];
  };
  readonly accuracy: readonly AccuracyRow[];
}

/** A chart's file name and its SVG. */
export interface Chart {
  readonly file: string;
  readonly svg: string;
}

const MEBIBYTE = 2 ** 20;
const mebibytes = (bytes: number): string => (bytes / MEBIBYTE).toFixed(1);
const title = (method: MethodName): string => METHODS[method].title;

/** Charts of the parts that there are. */
export function studyCharts({ blocks, accuracy }: Study): Chart[] {
  const charts: Chart[] = [];
  if (blocks.length > 0) {
    charts.push({
      file: "study-kept.svg",
      svg: overSizes(blocks, "MiB kept for backward", (r) => r.bytes_kept / MEBIBYTE),
    });
    charts.push({ file: "study-step.svg", svg: overSizes(blocks, "ms a training step", (r) => r.step_ms) });
  }
  for (const data of dataOf(accuracy)) {
    const bars = summaries(accuracy, data).map(({ method, map }) => ({
      label: METHODS[method].title,
      value: Number((100 * map.mean).toFixed(1)),
    }));
    charts.push({
      file: `study-map-${fileName(data)}.svg`,
      svg: barChart(`mAP50-95 in percent, ${fileName(data)}`, bars),
    });
  }
  return charts;
}

/** One line per method over the sizes in their order. */
function overSizes(blocks: readonly BlockRow[], what: string, value: (row: BlockRow) => number): string {
  const series = methodsOf(blocks).map((method) => ({
    label: title(method),
    points: blocks.filter((row) => row.method === method).map((row) => [Math.log2(row.channels), value(row)] as const),
  }));
  const chart: LineChart = { title: what, xLabel: "log2 of the channels", series };
  return lineCharts([chart], 1, 2);
}

/** The whole report; charts are named by their files, which lie beside it. */
export function studyReport(study: Study): string {
  const charts = studyCharts(study).map(({ file }) => `![${file}](${file})`);
  return [
    "# What re-parameterization costs and what it brings",
    "",
    ...study.setting.map((line) => `- ${line}`),
    ...blockSection(study.blocks),
    ...modelSection(study.model),
    ...accuracySection(study.accuracy),
    ...(charts.length > 0 ? ["", "## Charts", "", ...charts] : []),
    "",
  ].join("\n");
}

function blockSection(blocks: readonly BlockRow[]): string[] {
  if (blocks.length === 0) return [];
  const rows = blocks.map((row) => {
    const orepa = blocks.find((other) => other.method === "orepa" && sameSize(other, row));
    return [
      `${row.channels} ch, ${row.size} px, batch ${row.batch}`,
      title(row.method),
      mebibytes(row.bytes_kept),
      orepa ? percent(1 - orepa.bytes_kept / row.bytes_kept) : "",
      mebibytes(row.planned_bytes),
      row.step_ms.toFixed(1),
      orepa ? `${(row.step_ms / orepa.step_ms).toFixed(2)}x` : "",
      row.parameters.toLocaleString("en-US"),
      (row.extra_flops / 1e9).toFixed(2),
    ];
  });
  return [
    "",
    "## One block",
    "",
    "A 3x3 block with its norms and SiLU: forward, backward to input and parameters, SGD with momentum. Kept is what lies in memory when",
    "the forward pass ends and is read by the backward pass. Times are medians of rounds in which all methods took turns.",
    "",
    ...table(
      [
        "block",
        "method",
        "kept, MiB",
        "OREPA keeps less",
        "planned, MiB",
        "step, ms",
        "OREPA is faster",
        "parameters",
        "extra GFLOP forward",
      ],
      rows,
    ),
  ];
}

function modelSection({ label, imgsz, batch, rows }: Study["model"]): string[] {
  if (rows.length === 0) return [];
  const plain = rows.find(({ method }) => method === "plain");
  const ratio = (value: number, of: number | undefined): string =>
    of === undefined ? "" : `${(value / of).toFixed(3)}x`;
  return [
    "",
    `## ${label}, ${imgsz} px, batch ${batch}`,
    "",
    "Whole training steps (loss, clipping, SGD, average of the weights), and the inference of the deployed network.",
    "",
    ...table(
      [
        "method",
        "step, ms",
        "of plain",
        "planned, MiB",
        "Variables, MiB",
        "parameters",
        "deployed, ms",
        "of plain",
        "parameters deployed",
      ],
      rows.map((row) => [
        title(row.method),
        row.step_ms.toFixed(1),
        ratio(row.step_ms, plain?.step_ms),
        mebibytes(row.planned_bytes),
        mebibytes(row.variable_bytes),
        row.parameters.toLocaleString("en-US"),
        row.deployed_ms.toFixed(1),
        ratio(row.deployed_ms, plain?.deployed_ms),
        row.deployed_parameters.toLocaleString("en-US"),
      ]),
    ),
  ];
}

function accuracySection(accuracy: readonly AccuracyRow[]): string[] {
  if (accuracy.length === 0) return [];
  const sections = dataOf(accuracy).map((data) => [
    "",
    `On ${data}:`,
    "",
    ...table(
      ["method", "seeds", "mAP50", "mAP50-95", "every mAP50-95"],
      summaries(accuracy, data).map(({ method, all, map50, map }) => [
        title(method),
        String(all.length),
        spread(map50),
        spread(map),
        all.map((value) => value.toFixed(3)).join(", "),
      ]),
    ),
  ]);
  return [
    "",
    "## Accuracy",
    "",
    "Short trainings with the same seeds, pictures and settings for every method, measured on the deployed networks: mean and sample",
    "standard deviation over the seeds. Differences within that spread say nothing.",
    ...sections.flat(),
  ];
}

interface Statistics {
  readonly mean: number;
  readonly deviation: number;
}

/** The methods of some data, each with its values. */
function summaries(accuracy: readonly AccuracyRow[], data: string) {
  const rows = accuracy.filter((row) => row.data === data);
  return methodsOf(rows).map((method) => {
    const own = rows.filter((row) => row.method === method);
    const all = own.map((row) => row.map50_95);
    return { method, all, map50: statistics(own.map((row) => row.map50)), map: statistics(all) };
  });
}

function statistics(values: readonly number[]): Statistics {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : Number.NaN };
}

const spread = ({ mean, deviation }: Statistics): string =>
  Number.isNaN(deviation) ? mean.toFixed(3) : `${mean.toFixed(3)} ± ${deviation.toFixed(3)}`;
/** Whole percents; adding 0 turns -0 into 0. */
const percent = (part: number): string => `${Math.round(100 * part) + 0} %`;
const sameSize = (a: BlockRow, b: BlockRow): boolean =>
  a.channels === b.channels && a.size === b.size && a.batch === b.batch;
const methodsOf = (rows: readonly { readonly method: MethodName }[]): MethodName[] =>
  methodNames.filter((name) => rows.some(({ method }) => method === name));
const dataOf = (rows: readonly AccuracyRow[]): string[] => [...new Set(rows.map(({ data }) => data))];
/** `.../bccd/data.yaml`: bccd. */
const fileName = (data: string): string =>
  data
    .replace(/[/\\]?data\.ya?ml$|\.ya?ml$/, "")
    .split(/[/\\]/)
    .at(-1)!
    .replace(/[^\w-]+/g, "-") || "data";

/** A Markdown table. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i < 2 ? "---" : "---:"))), ...rows.map(line)];
}
