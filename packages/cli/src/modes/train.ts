// orepa train: trains a detector, keeps its best weights and writes the deployed network.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { writeSafetensors } from "@orepa/autograd";
import { DeviceError, type DeviceSpec } from "@orepa/tensor";
import {
  type Dataset,
  NonFiniteLossError,
  stripCheckpoint,
  type TrainEvent,
  trainLoader,
  train as trainModel,
  UserError,
  validate,
} from "@orepa/yolo";
import type { Settings } from "../args.ts";
import { feedSource, hasValidation, openSplit } from "../data.ts";
import { writeDeployed } from "../deployment.ts";
import { Failure } from "../failure.ts";
import { type Feed, openFeed } from "../feed.ts";
import { type Io, line } from "../io.ts";
import { greet, type ModeFunction, type Outcome } from "../mode.ts";
import { printModel } from "../model-report.ts";
import { readWeights } from "../models.ts";
import { kindOf, writeAtomic } from "../node-files.ts";
import { clock, progressLine } from "../progress.ts";
import { resultLine, resultLines, resultsText } from "../results-csv.ts";
import { discardRunFolder, writeArguments } from "../run-folder.ts";
import { planMetadata, planModel, planTraining, type TrainPlan, trainArguments } from "../train-plan.ts";
import { trainReport } from "../train-report.ts";
import { calibrated } from "../transfer.ts";
import { printValidation, speedLine } from "../validation-table.ts";

/** Charts and pictures, read when the first are written: after the first step. */
const plots = (): Promise<typeof import("../plots.ts")> => import("../plots.ts");

/** Trains, validates the best weights, deploys them. */
export const train: ModeFunction = async (command, io) => {
  const started = io.now();
  const { device } = await greet(io, command.settings);
  const plan = await planTraining(command, io);
  let hasResult = plan.resume !== null;
  const onStep = (): void => {
    hasResult = true;
  };
  try {
    return await carryOut(plan, { started, device, onStep }, io);
  } catch (error) {
    if (!hasResult) await discardRunFolder(plan.folder, plan.settings);
    throw error;
  }
};

/** The whole of a training; `onStep` learns of every step taken. */
async function carryOut(
  given: TrainPlan,
  { started, device, onStep }: { started: number; device: DeviceSpec; onStep: () => void },
  io: Io,
): Promise<Outcome> {
  const { settings, folder } = given;
  line(
    io,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}`)
      .join(", "),
  );
  if (given.resume === null) await writeArguments(folder, "train", settings);

  const model = planModel(given);
  printModel(model, { io, label: given.architecture.label, verbose: settings.verbose });
  if (given.start !== null) line(io, given.start.message);
  const open = (split: "train" | "val"): Promise<Dataset> =>
    openSplit(split, { ...settings, singleClass: settings.single_cls }, io);
  const dataset = await open("train");
  checkLastBatch(dataset.samples.length, { ...settings, stride: Math.max(...model.strides) });
  const plan = await withStatistics(given, { dataset, device }, io);
  // val=false leaves out the validation of every epoch but not that of the result, where there are pictures for it.
  const valDataset = settings.val || (await hasValidation(settings.data, io)) ? await open("val") : null;
  const stop = stopOnInterrupt(io);
  const write = await resultsWriter(plan);
  const report = trainReport(io, { imgsz: settings.imgsz, epochs: settings.epochs, folder });
  const feeds: Feed[] = [];
  let [waited, worked] = [0, 0];
  let result: Awaited<ReturnType<typeof trainModel>>;
  try {
    result = await trainModel({
      createModel: () => planModel(plan),
      dataset,
      valDataset,
      args: trainArguments(settings),
      device,
      createLoader: (options) => {
        const feed = openFeed(dataset, { source: feedSource(dataset, settings), options, workers: settings.workers });
        feeds.push(feed);
        return feed;
      },
      ...(plan.resume === null ? {} : { resume: plan.resume }),
      metadata: planMetadata(plan),
      shouldStop: stop.asked,
      onEvent: async (event) => {
        report(event);
        if (event.type === "batch") {
          onStep();
          // Only now: the first step comes sooner.
          if (waited + worked === 0 && settings.plots) await writeDataPictures(folder, dataset, settings);
          waited += event.dataSeconds;
          worked += event.stepSeconds;
        }
        await write(event);
        // Signals are only seen between turns of the event loop, which computing alone does not let pass.
        await setImmediate();
      },
    });
  } catch (error) {
    const kept = weightsFile(folder, "last");
    const isKept = (await kindOf(kept)) === "file";
    if (error instanceof NonFiniteLossError)
      throw new UserError(`${error.message}${isKept ? `; last good weights: ${kept}` : ""}`);
    if (error instanceof DeviceError || error instanceof Failure)
      throw new Failure(
        `${error.message}; ${isKept ? `to go on from the last checkpoint: resume=${kept}` : "no checkpoint was written yet"}`,
      );
    throw error;
  } finally {
    stop.off();
    for (const feed of feeds) await feed.close();
  }
  const last = weightsFile(folder, "last");
  if (result.reason === "interrupted") {
    line(io, `Stopped. The state is saved in ${last}; to go on:`);
    line(io, `pnpm --filter cli train ${/\s/.test(last) ? `"resume=${last}"` : `resume=${last}`}`);
    return { json: { epochs: result.rows.length, last, run: folder, interrupted: true }, interrupted: true };
  }
  const epochs = result.rows.length;
  if (result.reason === "early-stop")
    line(io, `No better epoch since ${result.bestEpoch + 1}: stopped early (patience=${settings.patience}).`);
  const share = waited > 0 ? (100 * waited) / (waited + worked) : 0;
  line(
    io,
    `\n${epochs} epochs completed in ${clock((io.now() - started) / 1000)}, data wait ${share.toFixed(1)} % of the steps' time.`,
  );
  return { json: { epochs, last, run: folder, ...(await finish(plan, { valDataset, device }, io)) } };
}

/** What the training pictures hold, and the first batches of them. */
async function writeDataPictures(folder: string, dataset: Dataset, settings: Settings): Promise<void> {
  const { writeLabelsChart, writeBatchPictures } = await plots();
  await writeLabelsChart(folder, dataset);
  await writeBatchPictures(folder, dataset, settings);
}

/** Measures norms that came without statistics on the first training batch. */
async function withStatistics(
  plan: TrainPlan,
  { dataset, device }: { dataset: Dataset; device: DeviceSpec },
  io: Io,
): Promise<TrainPlan> {
  const { settings, start } = plan;
  if (start === null || !start.uncalibrated) return plan;
  const batch = await trainLoader(dataset, { ...settings, augment: settings }).batch(0, 0);
  const measured = await calibrated(planModel(plan), start, { batch, device });
  line(io, `The weights came without norms: statistics are those of the first ${batch.shape[0]} training pictures`);
  return { ...plan, start: measured };
}

/** Validates the best weights, deploys them and says where everything is. */
async function finish(
  plan: TrainPlan,
  { valDataset, device }: { valDataset: Dataset | null; device: DeviceSpec },
  io: Io,
): Promise<object> {
  const { settings, folder, architecture, names } = plan;
  const bestFile = weightsFile(folder, "best");
  const best = (await kindOf(bestFile)) === "file" ? bestFile : weightsFile(folder, "last");
  const deployed = weightsFile(folder, "deployed");
  const found = await readWeights(best, { cwd: io.cwd, registry: architecture.registry });
  const { model: fused, deviation } = await writeDeployed(found, { file: deployed, imgsz: settings.imgsz }, io);

  let metrics: { map50: number | null; map50_95: number | null } = { map50: null, map50_95: null };
  if (valDataset !== null) {
    const progress = progressLine(io);
    const result = await validate({
      model: fused,
      dataset: valDataset,
      device,
      batch: settings.batch,
      imgsz: settings.imgsz,
      iou: settings.iou,
      maxDetections: settings.max_det,
      keepDetections: settings.plots,
      onBatch: (batch, batches) => progress.update("validating the deployed weights", batch + 1, batches),
    });
    if (result === null) throw new Error("validate: expected a result, got none although nothing asked to stop");
    progress.finish(`Validated ${deployed}`);
    printValidation(io, result, { perClass: settings.verbose });
    line(io, speedLine(result.speed));
    metrics = { map50: result.all.map50, map50_95: result.all.map };
    if (settings.plots) {
      const { writeValidationCharts, writeValidationPictures } = await plots();
      await writeValidationCharts(folder, result, names);
      const pictures = await writeValidationPictures(folder, { dataset: valDataset, images: result.images });
      if (pictures[0] !== undefined) line(io, `Pictures with boxes: ${pictures[0]}`);
    }
  }
  line(io, `Results saved to ${folder}`);
  return { best, deployed, deviation, ...metrics };
}

/** Batch statistics need two values: a last batch of one picture whose smallest map is one cell has none. */
function checkLastBatch(
  images: number,
  { batch, imgsz, stride }: { batch: number; imgsz: number; stride: number },
): void {
  if (imgsz > stride || (images - 1) % batch !== 0) return;
  throw new UserError(
    `batch: expected batches of two pictures or more at imgsz=${imgsz}, got ${images} pictures in batches of ${batch}, ` +
      "the last one picture alone (choose another batch= or a larger imgsz=)",
  );
}

/** The file of some weights of a run. */
const weightsFile = (folder: string, name: string): string => path.join(folder, "weights", `${name}.safetensors`);

/** Writes checkpoints and results.csv as the training goes on. */
async function resultsWriter({ folder, resume, settings }: TrainPlan): Promise<(event: TrainEvent) => Promise<void>> {
  const csv = path.join(folder, "results.csv");
  let lines = resume !== null && (await kindOf(csv)) === "file" ? resultLines(await readFile(csv, "utf8")) : [];
  return async (event) => {
    if (event.type === "start") lines = lines.slice(0, event.epoch);
    else if (event.type === "epoch-end") {
      lines.push(resultLine(event.row));
      await writeAtomic(csv, resultsText(lines));
      if (settings.plots) await (await plots()).writeResultsChart(folder, lines);
    } else if (event.type === "checkpoint") await writeCheckpoint(folder, event);
  };
}

async function writeCheckpoint(
  folder: string,
  { kinds, checkpoint, epoch }: TrainEvent & { type: "checkpoint" },
): Promise<void> {
  for (const kind of kinds) {
    const { tensors, metadata } = kind === "last" ? checkpoint : stripCheckpoint(checkpoint);
    const name = kind === "period" ? `epoch${epoch + 1}` : kind;
    await writeAtomic(weightsFile(folder, name), writeSafetensors(tensors, metadata));
  }
}

/** The first Ctrl-C asks to stop after the batch, the second quits at once. */
function stopOnInterrupt(io: Io): { asked: () => boolean; off: () => void } {
  let asked = false;
  const off = io.onInterrupt(() => {
    asked = true;
    line(io, "\nStopping after this batch and saving; Ctrl-C again quits at once.");
  });
  return { asked: () => asked, off };
}
