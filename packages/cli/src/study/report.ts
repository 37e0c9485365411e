// The study as a Markdown report with charts.

import { type LineChart, lineCharts } from "../charts.ts";
import { accuracyCharts, accuracySection } from "./accuracy-report.ts";
import type { AccuracyRow } from "./accuracy-study.ts";
import type { BlockRow } from "./block-study.ts";
import { mebibytes, methodsOf, percent, table, times, title, withQuartiles } from "./markdown.ts";
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
const [KEPT, STEP] = ["study-kept.svg", "study-step.svg"];

/** Charts of the parts that there are. */
export function studyCharts({ blocks, accuracy }: Study): Chart[] {
  const costs =
    blocks.length === 0
      ? []
      : [
          { file: KEPT, svg: overSizes(blocks, "MiB kept for backward", (row) => row.bytes_kept / MEBIBYTE) },
          { file: STEP, svg: overSizes(blocks, "ms a training step", (row) => row.step_ms) },
        ];
  return [...costs, ...accuracyCharts(accuracy)];
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
  const { setting, blocks, model, accuracy } = study;
  const compared = methodsOf([...blocks, ...model.rows, ...accuracy]);
  return [
    "# What re-parameterization costs and what it brings",
    "",
    "A re-parameterized block trains with several branches and is deployed as one plain 3x3 convolution of the same function. What this",
    "costs while training is compared here, and what it brings in accuracy. Everything ran in this program, so a ratio compares the",
    "methods and not their programs; absolute times belong to the machine below.",
    "",
    ...compared.map((method) => `- **${title(method)}**: ${METHODS[method].about}`),
    "",
    "Measured on:",
    "",
    ...setting.map((line) => `- ${line}`),
    ...blockSection(blocks),
    ...modelSection(model),
    ...accuracySection(accuracy),
    "",
  ].join("\n");
}

function blockSection(blocks: readonly BlockRow[]): string[] {
  if (blocks.length === 0) return [];
  const rows = blocks.map((row) => {
    const plain = otherOf(blocks, row, "plain");
    return [
      sizeOf(row),
      title(row.method),
      mebibytes(row.bytes_kept),
      mebibytes(row.planned_bytes),
      withQuartiles(row.step_ms, row.step_ms_quartiles),
      plain ? times(row.step_ms, plain.step_ms) : "",
      row.parameters.toLocaleString("en-US"),
      (row.extra_flops / 1e9).toFixed(2),
    ];
  });
  return [
    "",
    "## One block",
    "",
    "A 3x3 block with its norms and SiLU: forward, backward to input and parameters, SGD with momentum.",
    ...comparison(blocks),
    "",
    "All figures. *Kept* is what lies in memory when the forward pass ends and is read by the backward pass, the input included; *planned*",
    "is all that a step takes beside its parameters. Both are counted, the same on every machine. A time is the median of the rounds, in",
    "which all methods took turns, and in brackets between which half of the rounds lie. *Extra* are the operations of a forward pass",
    "that the plain block has not.",
    "",
    ...table(
      ["block", "method", "kept, MiB", "planned, MiB", "step, ms", "of plain", "parameters", "extra GFLOP"],
      rows,
    ),
    "",
    `![Memory kept for the backward pass over the sizes](${KEPT})`,
    "",
    `![Milliseconds of a training step over the sizes](${STEP})`,
  ];
}

/** OREPA against each of the others, size by size; nothing without it. */
function comparison(blocks: readonly BlockRow[]): string[] {
  const own = blocks.filter(({ method }) => method === "orepa");
  const others = methodNames.filter((name) => name !== "orepa" && blocks.some(({ method }) => method === name));
  if (own.length === 0 || others.length === 0) return [];
  const slower = own.flatMap((row) =>
    others
      .filter(
        (name) => name !== "plain" && (otherOf(blocks, row, name)?.step_ms ?? Number.POSITIVE_INFINITY) < row.step_ms,
      )
      .map((name) => `${title(name)} at ${sizeOf(row)}`),
  );
  return [
    "",
    "OREPA against the others: by what share it keeps less memory (below 0: more), and how many times as fast its step is (below 1: slower).",
    "",
    ...table(
      ["block", ...others.flatMap((name) => [`less memory than ${title(name)}`, `times as fast as ${title(name)}`])],
      own.map((row) => [
        sizeOf(row),
        ...others.flatMap((name) => {
          const other = otherOf(blocks, row, name);
          return other ? [percent(1 - row.bytes_kept / other.bytes_kept), times(other.step_ms, row.step_ms)] : ["", ""];
        }),
      ]),
      1,
    ),
    "",
    slower.length === 0
      ? "Its step was faster than those of all other branched blocks at every size."
      : `Its step was slower than that of ${slower.join(", ")}: there, making the kernel costs more than the maps of other methods.`,
  ];
}

function modelSection({ label, imgsz, batch, rows }: Study["model"]): string[] {
  if (rows.length === 0) return [];
  const plain = rows.find(({ method }) => method === "plain");
  return [
    "",
    `## ${label}, ${imgsz} px, batch ${batch}`,
    "",
    "The blocks of each method in the place of the 3x3 convolutions with stride 2, all else the same. Whole training steps (loss, clipping,",
    "SGD, average of the weights), and the inference of the deployed network, which is the same network for every method: differences",
    "between the times of inference are those of the measurement.",
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
        "parameters deployed",
      ],
      rows.map((row) => [
        title(row.method),
        withQuartiles(row.step_ms, row.step_ms_quartiles),
        plain ? times(row.step_ms, plain.step_ms) : "",
        mebibytes(row.planned_bytes),
        mebibytes(row.variable_bytes),
        row.parameters.toLocaleString("en-US"),
        withQuartiles(row.deployed_ms, row.deployed_ms_quartiles),
        row.deployed_parameters.toLocaleString("en-US"),
      ]),
      1,
    ),
  ];
}

const sizeOf = ({ channels, size, batch }: BlockRow): string => `${channels} ch, ${size} px, batch ${batch}`;
/** The row of another method at the same size. */
const otherOf = (blocks: readonly BlockRow[], row: BlockRow, method: MethodName): BlockRow | undefined =>
  blocks.find((other) => other.method === method && sizeOf(other) === sizeOf(row));
