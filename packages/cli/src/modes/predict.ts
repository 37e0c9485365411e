// orepa predict: finds objects in pictures and draws them.

import path from "node:path";
import { compile, type DeviceSpec, fromData, MemoryError, type Tensor } from "@orepa/tensor";
import {
  type DetectedBox,
  type DetectModel,
  type Image,
  letterbox,
  placeLetterbox,
  postprocess,
  UserError,
} from "@orepa/yolo";
import type { Settings } from "../args.ts";
import { drawBoxes } from "../draw.ts";
import { decode, encode, toCanvas } from "../image-codec.ts";
import { type Io, line, warn } from "../io.ts";
import { greet, type ModeFunction } from "../mode.ts";
import { printModel } from "../model-report.ts";
import { loadedModel, readWeights } from "../models.ts";
import { placeOf } from "../modules.ts";
import { nodeFiles, writeAtomic } from "../node-files.ts";
import { general } from "../results-csv.ts";
import { createRunFolder, discardRunFolder, writeArguments } from "../run-folder.ts";

const PICTURES = /\.(bmp|jpe?g|mpo|png|webp|avif|gif)$/i;
/** Least confidence of a box when conf= is not given. */
const CONFIDENCE = 0.25;

interface Prediction {
  readonly path: string;
  readonly boxes: readonly DetectedBox[];
}

/** Draws the boxes of every picture into the run folder. */
export const predict: ModeFunction = async ({ settings, given }, io) => {
  if (settings.model === null) {
    throw new UserError(
      "model: expected trained weights, got none (e.g. model=runs/detect/train/weights/deployed.safetensors)",
    );
  }
  const { device } = await greet(io, settings);
  const files = await findPictures(settings.source, io);
  const found = await readWeights(settings.model, await placeOf(settings, io.cwd));
  const { names } = found.weights;
  for (const wanted of settings.classes ?? []) {
    if (wanted >= names.length) {
      throw new UserError(
        `classes: expected 0 to ${names.length - 1}, got ${wanted} (the weights know ${names.join(", ")})`,
      );
    }
  }
  const imgsz = given.has("imgsz") ? settings.imgsz : found.weights.imgsz;
  const model = loadedModel(found);
  printModel(model, { io, label: found.architecture.label, verbose: false });
  const detect = detector(model, device, { ...settings, imgsz });
  const folder = await createRunFolder({
    cwd: io.cwd,
    project: settings.project,
    name: settings.name ?? "predict",
    existOk: settings.exist_ok,
  });
  await writeArguments(folder, "predict", { ...settings, imgsz });

  const predictions: Prediction[] = [];
  const taken = new Set<string>();
  let firstProblem: string | null = null;
  for (const [i, file] of files.entries()) {
    const image = await decodePicture(file, io);
    if (typeof image === "string") {
      firstProblem ??= `${file}: ${image}`;
      warn(io, `${file}: ${image} (left out)`);
      continue;
    }
    const start = io.now();
    const boxes = await detect(image).catch(async (error: unknown) => {
      if (predictions.length === 0) await discardRunFolder(folder, settings);
      throw error;
    });
    const milliseconds = io.now() - start;
    predictions.push({ path: file, boxes });
    await writePrediction(folder, { name: uniqueName(path.basename(file), taken), image, boxes, names, settings });
    const counts = names.flatMap((name, c) => {
      const count = boxes.filter((box) => box[5] === c).length;
      return count > 0 ? [`${count} ${name}`] : [];
    });
    const what = counts.join(", ") || "no detections";
    line(
      io,
      `image ${i + 1}/${files.length} ${file}: ${image.width}x${image.height} ${what}, ${milliseconds.toFixed(1)}ms`,
    );
  }
  if (predictions.length === 0) throw new UserError(`source: no usable pictures; the first problem: ${firstProblem}`);
  line(io, `Results saved to ${folder}`);
  return { json: { images: predictions } };
};

/** A function from a picture to its boxes, strongest first. */
function detector(
  model: DetectModel,
  device: DeviceSpec,
  { imgsz, conf, iou, max_det, classes }: Settings,
): (image: Image) => Promise<readonly DetectedBox[]> {
  const stride = Math.max(...model.strides);
  const side = Math.ceil(imgsz / stride) * stride;
  const program = compile((images: Tensor) => model.predict(images), { device });
  return async (image) => {
    const placement = placeLetterbox(image, { width: side, height: side }, { auto: true, stride });
    const { width, height, data } = letterbox(image, placement);
    const input = fromData(planes(data, width * height), [1, 3, height, width]);
    requireRoom(() => program.prepare(input), imgsz);
    const output = await program(input);
    const [batch, channels, anchors] = output.shape;
    const [boxes] = postprocess(
      output.toTypedArray() as Float32Array,
      [batch!, channels!, anchors!],
      [{ placement, picture: image }],
      { nc: model.nc, conf: conf ?? CONFIDENCE, iou, maxDet: max_det, ...(classes === null ? {} : { classes }) },
    );
    return boxes!;
  };
}

/** Plans the program. Throws a UserError if it does not fit into the memory. */
function requireRoom(prepare: () => void, imgsz: number): void {
  try {
    prepare();
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    const [needed, available] = [error.needed, error.available].map((bytes) => Math.ceil(bytes / 2 ** 20));
    throw new UserError(
      `memory: imgsz=${imgsz} needs ${needed} MiB, the device has ${available} MiB (take a smaller imgsz=)`,
    );
  }
}

/** Interleaved bytes to planes of 0..1. */
function planes(data: Uint8Array, size: number): Float32Array {
  const result = new Float32Array(3 * size);
  for (let i = 0; i < size; i++) for (let c = 0; c < 3; c++) result[c * size + i] = data[i * 3 + c]! / 255;
  return result;
}

async function findPictures(source: string | null, io: Io): Promise<string[]> {
  if (source === null)
    throw new UserError("source: expected a picture, a folder or a list of them, got none (e.g. source=pictures/)");
  const files = nodeFiles(io.cwd);
  const found: string[] = [];
  // A comma may be part of a name, so the whole text is tried first.
  const whole = (await files.kind(files.resolve(source))) !== "missing";
  for (const item of whole ? [source] : source.replace(/^\[|\]$/g, "").split(",")) {
    const file = files.resolve(item.trim());
    const kind = await files.kind(file);
    if (kind === "missing")
      throw new UserError(`source: expected a picture or a folder, but there is none at ${file} (check the path)`);
    if (kind === "file") found.push(file);
    else {
      const inside = (await files.list(file)).filter((name) => PICTURES.test(name)).sort();
      if (inside.length === 0)
        throw new UserError(`source: expected pictures in ${file}, found none (jpg png webp bmp ...)`);
      found.push(...inside);
    }
  }
  return found;
}

/** The picture, or why it cannot be used. */
async function decodePicture(file: string, io: Io): Promise<Image | string> {
  const bytes = await nodeFiles(io.cwd).readBytes(file);
  try {
    return await decode(bytes);
  } catch (error) {
    return `cannot be decoded: ${(error as Error).message}`;
  }
}

interface Written {
  /** File name of the source, told apart from others of this run. */
  readonly name: string;
  readonly image: Image;
  readonly boxes: readonly DetectedBox[];
  readonly names: readonly string[];
  readonly settings: Settings;
}

/** Pictures of the same name from different folders must not overwrite each other. */
function uniqueName(name: string, taken: Set<string>): string {
  const { name: stem, ext } = path.parse(name);
  let unique = name;
  for (let count = 2; taken.has(path.parse(unique).name); count++) unique = `${stem}_${count}${ext}`;
  taken.add(path.parse(unique).name);
  return unique;
}

async function writePrediction(folder: string, { name, image, boxes, names, settings }: Written): Promise<void> {
  const { show_labels, show_conf, line_width, save_txt, save_conf } = settings;
  const canvas = toCanvas(image);
  const drawn = boxes.map(([x1, y1, x2, y2, confidence, classIndex]) => ({
    box: [x1, y1, x2, y2] as const,
    classIndex,
    label: [show_labels ? names[classIndex]! : "", show_conf ? confidence.toFixed(2) : ""].filter(Boolean).join(" "),
  }));
  drawBoxes(canvas, drawn, { lineWidth: line_width });
  const target = /\.png$/i.test(name) ? name : name.replace(/(\.[^.]*)?$/, ".jpg");
  await writeAtomic(path.join(folder, target), encode(canvas, target));
  if (!save_txt) return;
  const rows = boxes.map(([x1, y1, x2, y2, confidence, classIndex]) => {
    const { width, height } = image;
    const sides = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height];
    return [classIndex, ...[...sides, ...(save_conf ? [confidence] : [])].map((value) => general(value, 6))].join(" ");
  });
  await writeAtomic(
    path.join(folder, "labels", name.replace(/\.[^.]*$/, ".txt")),
    rows.map((row) => `${row}\n`).join(""),
  );
}
