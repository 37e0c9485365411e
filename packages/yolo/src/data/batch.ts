// Batches of a dataset. What a batch holds follows from (seed, epoch, index) alone, so a resumed training sees the same ones.
import { Generator } from "@orepa/tensor";
import { type AugmentArgs, augment } from "./augment.ts";
import { letterbox, type Placement, placeLongSide } from "./letterbox.ts";
import type { Batch, Box, Dataset, Image } from "./types.ts";

/** A source of batches. */
export interface Loader {
  /** Batches an epoch; the last may be smaller. */
  readonly batches: number;
  /** Batch `index` of an epoch. */
  batch(epoch: number, index: number): Promise<Batch>;
}

/** Numbers of target rows are rounded up to these (then doubled on), so that few shapes of programs arise. */
const targetBuckets = [8, 16, 32, 64];

/** Square training batches in an order drawn anew each epoch, pictures changed by chance. */
export function trainLoader(
  dataset: Dataset,
  options: { readonly batch: number; readonly imgsz: number; readonly seed: number; readonly augment: AugmentArgs },
): Loader {
  const { batch: size, imgsz, seed } = options;
  const { samples } = dataset;
  const rows = targetRows(dataset);
  const batch = async (epoch: number, index: number): Promise<Batch> => {
    const order = new Generator(`order ${seed} ${epoch}`).permutation(samples.length);
    const indices = order.slice(index * size, (index + 1) * size);
    const inputs: Input[] = [];
    for (const i of indices) {
      const placed = await placeSample(dataset, i, { width: imgsz, height: imgsz, imgsz });
      const generator = new Generator(`augment ${seed} ${epoch} ${i}`);
      inputs.push({ ...placed, ...augment(placed, options.augment, generator) });
    }
    return assemble(inputs, { indices, rows });
  };
  return { batches: Math.ceil(samples.length / size), batch };
}

/** Batches for validation: unchanged pictures; `rect` sorts them by aspect and gives each batch the smallest shape that holds it. */
export function validationLoader(
  dataset: Dataset,
  options: { readonly batch: number; readonly imgsz: number; readonly rect: boolean; readonly stride: number },
): Loader {
  const { batch: size, imgsz, rect, stride } = options;
  const { samples } = dataset;
  const rows = targetRows(dataset);
  const aspect = (i: number) => samples[i]!.height / samples[i]!.width;
  const order = samples.map((_, i) => i);
  if (rect) order.sort((a, b) => aspect(a) - aspect(b) || a - b);
  const batch = async (_epoch: number, index: number): Promise<Batch> => {
    const indices = order.slice(index * size, (index + 1) * size);
    const shape = rect ? rectangle(indices.map(aspect), imgsz, stride) : { width: imgsz, height: imgsz };
    const inputs: Input[] = [];
    for (const i of indices) inputs.push(await placeSample(dataset, i, { ...shape, imgsz }));
    return assemble(inputs, { indices, rows });
  };
  return { batches: Math.ceil(samples.length / size), batch };
}

interface Input {
  readonly image: Image;
  readonly boxes: readonly Box[];
  readonly placement: Placement;
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

/** A picture in its input rectangle, its boxes as fractions of that. */
async function placeSample(
  dataset: Dataset,
  index: number,
  { width, height, imgsz }: { width: number; height: number; imgsz: number },
): Promise<Input> {
  const picture = await dataset.load(index);
  const placement = placeLongSide(picture, { width, height }, imgsz);
  const { innerWidth, innerHeight, left, top } = placement;
  const boxes = dataset.samples[index]!.boxes.map(
    ([c, cx, cy, w, h]): Box => [
      c,
      (cx * innerWidth + left) / width,
      (cy * innerHeight + top) / height,
      (w * innerWidth) / width,
      (h * innerHeight) / height,
    ],
  );
  return { image: letterbox(picture, placement), boxes, placement };
}

/** One number of target rows for all batches of a dataset: its fullest picture, rounded up. */
function targetRows({ samples }: Dataset): number {
  const most = samples.reduce((n, { boxes }) => Math.max(n, boxes.length), 0);
  const bucket = targetBuckets.find((rows) => rows >= most);
  return bucket ?? 2 ** Math.ceil(Math.log2(most));
}

function assemble(inputs: readonly Input[], { indices, rows }: { indices: readonly number[]; rows: number }): Batch {
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
