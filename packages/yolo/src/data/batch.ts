// Batches of a dataset. What a batch holds follows from (seed, epoch, index) alone, so a resumed training sees the same ones.
import { Generator } from "@orepa/tensor";
import { type Input, placeSample } from "./place-sample.ts";
import { type TrainAugmentArgs, trainSample } from "./train-sample.ts";
import type { Batch, BatchShapes, Dataset } from "./types.ts";

/** A source of batches. Asked in order, it may prepare the next ones ahead. */
export interface Loader {
  /** Batches an epoch; the last may be smaller. */
  readonly batches: number;
  /** Batch `index` of an epoch. */
  batch(epoch: number, index: number): Promise<Batch>;
}

/** Batches whose shapes are known before they are made. */
interface ShapedLoader extends Loader {
  shapes(index: number): BatchShapes;
}

/** Numbers of target rows are rounded up to these (then doubled on), so that few shapes of programs arise. */
const targetBuckets = [8, 16, 32, 64];

/** What {@link trainLoader} takes; plain data. */
export interface TrainLoaderOptions {
  /** Pictures a batch. */
  readonly batch: number;
  readonly imgsz: number;
  readonly seed: number;
  /** Epochs of the whole training. */
  readonly epochs: number;
  readonly augment: TrainAugmentArgs;
}

/** Square training batches in an order drawn anew each epoch, pictures changed by chance. */
export function trainLoader(dataset: Dataset, options: TrainLoaderOptions): Loader {
  const { batch: size, seed, augment: args } = options;
  const { samples } = dataset;
  const rows = targetRows(dataset);
  let drawn: { epoch: number; order: readonly number[] } | undefined;
  const orderOf = (epoch: number): readonly number[] => {
    if (drawn?.epoch !== epoch)
      drawn = { epoch, order: new Generator(`order ${seed} ${epoch}`).permutation(samples.length) };
    return drawn.order;
  };
  const batch = async (epoch: number, index: number): Promise<Batch> => {
    const indices = orderOf(epoch).slice(index * size, (index + 1) * size);
    const inputs: Input[] = [];
    for (const i of indices) inputs.push(await trainSample(dataset, i, { position: { ...options, epoch }, args }));
    return assemble(inputs, { indices, rows });
  };
  return { batches: Math.ceil(samples.length / size), batch };
}

/** Batches for validation: unchanged pictures; `rect` sorts them by aspect and gives each batch the smallest shape that holds it. */
export function validationLoader(
  dataset: Dataset,
  options: { readonly batch: number; readonly imgsz: number; readonly rect: boolean; readonly stride: number },
): ShapedLoader {
  const { batch: size, imgsz, rect, stride } = options;
  const { samples } = dataset;
  const rows = targetRows(dataset);
  const aspect = (i: number) => samples[i]!.height / samples[i]!.width;
  const order = samples.map((_, i) => i);
  if (rect) order.sort((a, b) => aspect(a) - aspect(b) || a - b);
  const at = (index: number) => {
    const indices = order.slice(index * size, (index + 1) * size);
    return { indices, sides: rect ? rectangle(indices.map(aspect), imgsz, stride) : { width: imgsz, height: imgsz } };
  };
  const batch = async (_epoch: number, index: number): Promise<Batch> => {
    const { indices, sides } = at(index);
    const inputs: Input[] = [];
    for (const i of indices) inputs.push(await placeSample(dataset, i, { ...sides, imgsz }));
    return assemble(inputs, { indices, rows });
  };
  const shapes = (index: number): BatchShapes => {
    const { indices, sides } = at(index);
    return { shape: [indices.length, 3, sides.height, sides.width], targetShape: [indices.length, rows, 5] };
  };
  return { batches: Math.ceil(samples.length / size), batch, shapes };
}

/** Rectangular shapes get up to half a stride more than the picture needs. */
const rectanglePad = 0.5;

/** The smallest shape, in strides, that holds pictures of these aspects (height / width) with a long side of `imgsz`. */
function rectangle(aspects: readonly number[], imgsz: number, stride: number): { width: number; height: number } {
  const smallest = Math.min(...aspects);
  const largest = Math.max(...aspects);
  const side = (part: number) => Math.ceil((part * imgsz) / stride + rectanglePad) * stride;
  return { width: side(1 / Math.max(smallest, 1)), height: side(Math.min(largest, 1)) };
}

/** One number of target rows for all batches of a dataset: its fullest picture, rounded up. */
const targetRows = ({ samples, mostBoxes }: Dataset): number =>
  bucket(mostBoxes === undefined ? samples.map(({ boxes }) => boxes.length) : [mostBoxes]);

/** The most, rounded up. */
function bucket(counts: readonly number[]): number {
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  return targetBuckets.find((rows) => rows >= most) ?? 2 ** Math.ceil(Math.log2(most));
}

/** A batch with at least so many target rows, and more where mosaics hold more boxes. */
function assemble(inputs: readonly Input[], options: { indices: readonly number[]; rows: number }): Batch {
  const { indices } = options;
  const rows = Math.max(options.rows, bucket(inputs.map(({ boxes }) => boxes.length)));
  const { width, height } = inputs[0]!.image;
  const plane = width * height;
  const images = new Float32Array(inputs.length * 3 * plane);
  const targets = new Float32Array(inputs.length * rows * 5);
  let instances = 0;
  for (const [b, { image, boxes }] of inputs.entries()) {
    const start = b * 3 * plane;
    for (let i = 0; i < plane; i++) {
      images[start + i] = levels[image.data[i * 3]!]!;
      images[start + plane + i] = levels[image.data[i * 3 + 1]!]!;
      images[start + 2 * plane + i] = levels[image.data[i * 3 + 2]!]!;
    }
    for (const [i, box] of boxes.entries()) targets.set(box, (b * rows + i) * 5);
    instances += boxes.length;
  }
  return {
    images,
    shape: [inputs.length, 3, height, width],
    targets,
    targetShape: [inputs.length, rows, 5],
    instances,
    indices,
    placements: inputs.map(({ placement }) => placement),
  };
}

/** 0..255 as 0..1. */
const levels = Float32Array.from({ length: 256 }, (_, i) => i / 255);
