// The pictures and charts of a run folder, from what a training or a validation has measured.

import path from "node:path";
import type { Canvas } from "@napi-rs/canvas";
import {
  type Batch,
  type Dataset,
  type Image,
  trainLoader,
  type ValidatedImage,
  type ValidationResult,
} from "@orepa/yolo";
import type { Settings } from "./args.ts";
import { barChart, lineCharts, matrixChart } from "./charts.ts";
import { type DrawnBox, drawBoxes, enlarge, mosaic } from "./draw.ts";
import { encode, rasterise, toCanvas } from "./image-codec.ts";
import { writeAtomic } from "./node-files.ts";
import { RESULT_COLUMNS } from "./results-csv.ts";

/** Side of a picture in a mosaic, in pixels. */
const CELL = 320;
/** Pictures in a mosaic. */
const SHOWN = 16;
/** Least confidence of a box that is drawn. */
const DRAWN_CONFIDENCE = 0.25;

/** results.png: losses, metrics and mAP over the epochs, from the lines of results.csv. */
export async function writeResultsChart(folder: string, lines: readonly string[]): Promise<void> {
  const rows = lines.map((line) => line.split(",").map(Number));
  const order = [1, 2, 3, 4, 5, 8, 9, 10, 6, 7];
  const charts = order.map((column) => ({
    title: RESULT_COLUMNS[column]!,
    xLabel: "epoch",
    series: [{ label: "", points: rows.map((row) => [row[0]!, row[column]!] as const) }],
  }));
  await write(folder, "results.png", rasterise(lineCharts(charts, 5)));
}

/** labels.png: how many objects of each class the training pictures hold. */
export async function writeLabelsChart(folder: string, dataset: Dataset): Promise<void> {
  const counts = dataset.names.map(() => 0);
  for (const { boxes } of dataset.samples) for (const [classIndex] of boxes) counts[classIndex]!++;
  const bars = dataset.names.map((label, i) => ({ label, value: counts[i]! }));
  await write(folder, "labels.png", rasterise(barChart("instances of each class (train)", bars)));
}

/** confusion_matrix.png and PR_curve.png of a validation. */
export async function writeValidationCharts(
  folder: string,
  result: ValidationResult,
  names: readonly string[],
): Promise<void> {
  const matrix = matrixChart("confusion matrix", [...names, "background"], result.confusion);
  await write(folder, "confusion_matrix.png", rasterise(matrix));
  const series = result.classes.map(({ name, map50 }, i) => ({
    label: `${name} ${map50.toFixed(3)}`,
    points: result.curves.recall[i]!.map((recall, j) => [recall, result.curves.precision[i]![j]!] as const),
  }));
  const chart = { title: `precision over recall, mAP50 ${result.all.map50.toFixed(3)}`, xLabel: "recall", series };
  await write(folder, "PR_curve.png", rasterise(lineCharts([{ ...chart, xRange: [0, 1], yRange: [0, 1] }], 1, 2)));
}

/** val_batch<n>_labels.jpg and val_batch<n>_pred.jpg: what is there and what was found. Returns the files of the predictions. */
export async function writeValidationPictures(
  folder: string,
  { dataset, images, batches = 3 }: { dataset: Dataset; images: readonly ValidatedImage[]; batches?: number },
): Promise<string[]> {
  const index = new Map(dataset.samples.map(({ file }, i) => [file, i]));
  const written: string[] = [];
  for (let batch = 0; batch < batches && batch * SHOWN < images.length; batch++) {
    const labels: Canvas[] = [];
    const found: Canvas[] = [];
    for (const image of images.slice(batch * SHOWN, (batch + 1) * SHOWN)) {
      const picture = await dataset.load(index.get(image.file)!);
      const truths = image.truths.map(({ box, classIndex }) => ({
        box,
        classIndex,
        label: dataset.names[classIndex]!,
      }));
      const detections = image.detections.flatMap(({ box, classIndex, score }) =>
        score < DRAWN_CONFIDENCE
          ? []
          : [{ box, classIndex, label: `${dataset.names[classIndex]} ${score.toFixed(2)}` }],
      );
      labels.push(annotated(picture, truths));
      found.push(annotated(picture, detections));
    }
    await write(folder, `val_batch${batch}_labels.jpg`, mosaic(labels, CELL));
    written.push(await write(folder, `val_batch${batch}_pred.jpg`, mosaic(found, CELL)));
  }
  return written;
}

/** train_batch0.jpg to train_batch2.jpg: the first batches as the network sees them, augmented. */
export async function writeBatchPictures(folder: string, dataset: Dataset, settings: Settings): Promise<void> {
  const loader = trainLoader(dataset, { ...settings, augment: settings });
  for (let index = 0; index < Math.min(3, loader.batches); index++) {
    const batch = await loader.batch(0, index);
    await write(folder, `train_batch${index}.jpg`, mosaic(batchPictures(batch, dataset.names), CELL));
  }
}

/** The pictures of a batch with their boxes. */
function batchPictures({ images, shape, targets, targetShape }: Batch, names: readonly string[]): Canvas[] {
  const [count, , height, width] = shape;
  const [, rows, columns] = targetShape;
  const plane = width * height;
  return Array.from({ length: Math.min(count, SHOWN) }, (_, b) => {
    const level = (i: number, c: number) => Math.round(images[(b * 3 + c) * plane + i]! * 255);
    const data = Uint8Array.from({ length: 3 * plane }, (_, i) => level(Math.floor(i / 3), i % 3));
    const boxes = Array.from({ length: rows }, (_, row) =>
      targets.subarray((b * rows + row) * columns, (b * rows + row + 1) * columns),
    );
    const drawn = boxes.flatMap(([classIndex, cx, cy, w, h]): DrawnBox[] => {
      if (w === 0) return [];
      const [x, y, halfWidth, halfHeight] = [cx! * width, cy! * height, (w! * width) / 2, (h! * height) / 2];
      return [
        {
          box: [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight],
          classIndex: classIndex!,
          label: names[classIndex!]!,
        },
      ];
    });
    return annotated({ width, height, data }, drawn);
  });
}

/** A picture, enlarged until labels can be read on it, with its boxes. */
function annotated(image: Image, boxes: readonly DrawnBox[]): Canvas {
  const { canvas, factor } = enlarge(toCanvas(image), CELL);
  const scaled = boxes.map(({ box: [x1, y1, x2, y2], ...rest }) => ({
    ...rest,
    box: [x1 * factor, y1 * factor, x2 * factor, y2 * factor] as const,
  }));
  const width = Math.max(1, Math.round(Math.max(canvas.width, canvas.height) / CELL));
  drawBoxes(canvas, scaled, { lineWidth: width, dot: 2 * width });
  return canvas;
}

async function write(folder: string, name: string, canvas: Canvas): Promise<string> {
  const file = path.join(folder, name);
  await writeAtomic(file, encode(canvas, name));
  return file;
}
