// orepa val: measures trained weights on the validation pictures of a dataset.

import { UserError, validate } from "@orepa/yolo";
import { checkClasses, isDigits, openSplit } from "../data.ts";
import { line } from "../io.ts";
import { greet, type ModeFunction } from "../mode.ts";
import { printModel } from "../model-report.ts";
import { loadedModel, readWeights } from "../models.ts";
import { placeOf } from "../modules.ts";
import { writeValidationCharts, writeValidationPictures } from "../plots.ts";
import { progressLine } from "../progress.ts";
import { createRunFolder, discardRunFolder, writeArguments } from "../run-folder.ts";
import { printValidation, speedLine } from "../validation-table.ts";

/** Prints the metrics of every class and the speed. */
export const val: ModeFunction = async ({ settings, given }, io) => {
  if (settings.model === null) {
    throw new UserError(
      "model: expected weights to measure, got none (e.g. model=runs/detect/train/weights/best.safetensors)",
    );
  }
  const { device } = await greet(io, settings);
  const found = await readWeights(settings.model, await placeOf(settings, io.cwd));
  const imgsz = given.has("imgsz") ? settings.imgsz : found.weights.imgsz;
  const model = loadedModel(found);
  printModel(model, { io, label: found.architecture.label, verbose: false });
  const { data, single_cls: singleClass } = settings;
  const dataset = await openSplit("val", { data, imgsz, seed: 0, fraction: 1, singleClass, workers: 0 }, io);
  checkClasses(found.weights, { label: isDigits(data) ? "the embedded digits" : data!, names: dataset.names });
  const folder = await createRunFolder({
    cwd: io.cwd,
    project: settings.project,
    name: settings.name ?? "val",
    existOk: settings.exist_ok,
  });
  await writeArguments(folder, "val", { ...settings, imgsz });
  const progress = progressLine(io);
  const result = await validate({
    model,
    dataset,
    device,
    batch: settings.batch,
    imgsz,
    rect: settings.rect,
    conf: settings.conf ?? 0.001,
    iou: settings.iou,
    maxDetections: settings.max_det,
    keepDetections: settings.plots,
    onBatch: (batch, batches) => progress.update("validating", batch + 1, batches),
  }).catch(async (error: unknown) => {
    await discardRunFolder(folder, settings);
    throw error;
  });
  if (result === null) throw new Error("validate: expected a result, got none although nothing asked to stop");
  progress.finish(`Validated ${result.all.images} pictures`);
  printValidation(io, result, { perClass: settings.verbose });
  line(io, speedLine(result.speed));
  if (settings.plots) {
    await writeValidationCharts(folder, result, dataset.names);
    await writeValidationPictures(folder, { dataset, images: result.images });
  }
  line(io, `Results saved to ${folder}`);
  const { images, instances, map50, map } = result.all;
  return { json: { images, instances, map50, map50_95: map, speed_ms: result.speed } };
};
