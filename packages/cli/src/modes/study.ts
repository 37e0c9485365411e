// orepa study: what the methods of re-parameterization cost in memory and time, and what they bring in accuracy.

import os from "node:os";
import path from "node:path";
import { UserError } from "@orepa/yolo";
import type { ChosenDevice } from "../devices.ts";
import { type Io, line } from "../io.ts";
import { greet, type ModeFunction, version } from "../mode.ts";
import { type Architecture, findModel } from "../models.ts";
import { placeOf } from "../modules.ts";
import { writeAtomic } from "../node-files.ts";
import type { Command } from "../parse-args.ts";
import { progressLine } from "../progress.ts";
import { createRunFolder } from "../run-folder.ts";
import { type AccuracyRow, studyAccuracy } from "../study/accuracy-study.ts";
import { type BlockRow, readSizes, studyBlocks } from "../study/block-study.ts";
import { METHODS, type MethodName, methodNames } from "../study/methods.ts";
import { studyModel } from "../study/model-study.ts";
import { type Study, studyCharts, studyReport } from "../study/report.ts";

const DEFAULT_MODEL = "yolo11n.yaml";
/** The embedded digits among the data. */
const DIGITS = "digits";
const DEFAULT_SIDE = 320;
const DEFAULT_BATCH = 8;
/** Epochs on data other than the digits, which have their own. */
const DEFAULT_EPOCHS = 20;

/** Measures, writes study.md and its charts, and prints where they are. */
export const study: ModeFunction = async (command, io) => {
  const { settings, given } = command;
  const methods = readMethods(settings.methods);
  const sizes = settings.sizes === "0" ? [] : readSizes(settings.sizes);
  const place = await placeOf(settings, io.cwd);
  const imgsz = Math.ceil((given.has("imgsz") ? settings.imgsz : DEFAULT_SIDE) / 32) * 32;
  const batch = given.has("batch") ? settings.batch : DEFAULT_BATCH;
  const model = settings.model ?? DEFAULT_MODEL;
  const architectures = new Map<MethodName, Architecture>();
  for (const method of methods) {
    const { architecture } = await findModel(model, place, METHODS[method].reparam);
    architectures.set(method, architecture);
  }
  const chosen = await greet(io, settings);
  const folder = await createRunFolder({
    cwd: io.cwd,
    project: settings.project,
    name: settings.name ?? "study",
    existOk: settings.exist_ok,
  });
  const { repeats } = settings;
  const timing = { device: chosen.device, repeats, now: io.now };
  const setting = settingLines(chosen, settings.repeats);

  const blocks: BlockRow[] = [];
  for (const size of sizes) {
    const name = `${size.channels} channels, ${size.size} px, batch ${size.batch}`;
    const progress = progressLine(io);
    const rows = await studyBlocks(size, {
      ...{ ...timing, methods },
      onRound: (done, total) => progress.update(name, done, total),
    });
    progress.finish(`${name}: ${rows.map((row) => `${row.method} ${row.step_ms.toFixed(1)} ms`).join(", ")}`);
    blocks.push(...rows);
  }

  const progress = progressLine(io);
  const rows = await studyModel(architectures, {
    ...{ ...timing, imgsz, batch },
    onRound: (what, done, total) => progress.update(`${model}, ${what}`, done, total),
  });
  progress.finish(`${model}: ${rows.map((row) => `${row.method} ${row.step_ms.toFixed(1)} ms`).join(", ")}`);

  const { rows: accuracy, interrupted } = settings.accuracy
    ? await trainings(command, { methods, model, imgsz }, io)
    : { rows: [], interrupted: false };
  const label = (architectures.get("plain") ?? [...architectures.values()][0]!).label;
  const result: Study = { setting, blocks, model: { label, imgsz, batch, rows }, accuracy };
  for (const { file, svg } of studyCharts(result)) await writeAtomic(path.join(folder, file), svg);
  const report = path.join(folder, "study.md");
  await writeAtomic(report, studyReport(result));
  line(io, `Report: ${report}`);
  return { json: { report, blocks, yolo11n: rows, accuracy }, interrupted };
};

/** `plain,orepa`, each once. */
function readMethods(text: string): MethodName[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !(methodNames as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new UserError(
      `methods: expected some of ${methodNames.join(", ")}, got "${unknown}" (e.g. methods=plain,orepa)`,
    );
  return methodNames.filter((name) => names.includes(name));
}

/** The trainings on every data of data=, with what was asked for. */
async function trainings(
  { settings, given }: Command,
  { methods, model, imgsz }: { methods: readonly MethodName[]; model: string; imgsz: number },
  io: Io,
): Promise<{ readonly rows: readonly AccuracyRow[]; readonly interrupted: boolean }> {
  const progress = progressLine(io);
  const passed = (["epochs", "fraction", "threads"] as const).flatMap((name) =>
    given.has(name) ? [`${name}=${settings[name]}`] : [],
  );
  const own = [`model=${model}`, `device=${settings.device}`, "val=false", ...passed];
  if (settings.modules !== null) own.push(`modules=${settings.modules}`);
  if (settings.pretrained !== null) own.push(`pretrained=${settings.pretrained}`);
  const data = (settings.data ?? DIGITS).split(",").filter((name) => name !== "");
  const words = (name: string): string[] => {
    if (name === DIGITS) return own;
    return [...own, `data=${name}`, `imgsz=${imgsz}`, ...(given.has("epochs") ? [] : [`epochs=${DEFAULT_EPOCHS}`])];
  };
  const outcome = await studyAccuracy(
    {
      ...{ data, methods, seeds: settings.seeds, words },
      onTraining: (done, total, what) => {
        if (!io.isTerminal) line(io, `training ${Math.min(done + 1, total)} of ${total}: ${what}`);
        progress.update(`trainings (${what})`, done, total);
      },
    },
    io,
  );
  progress.finish(`${outcome.rows.length} trainings`);
  return outcome;
}

const settingLines = ({ name, about }: ChosenDevice, repeats: number): string[] => [
  `${os.cpus()[0]?.model.trim() ?? "unknown processor"}, ${os.cpus().length} cores, Node ${process.version}, orepa ${version}`,
  `device ${name}, ${about}; medians of ${repeats} rounds`,
  `load average at the start ${os.loadavg()[0]!.toFixed(2)}`,
];
