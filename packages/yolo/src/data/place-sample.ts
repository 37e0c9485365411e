// A picture of a dataset with its labels, fitted into an input rectangle.
import { letterbox, type Placement, placeLongSide } from "./letterbox.ts";
import { resizeBilinear } from "./resize.ts";
import type { Box, Dataset, Image, LabelledImage } from "./types.ts";

/** A picture ready for a batch. */
export interface Input extends LabelledImage {
  readonly placement: Placement;
}

/** The picture with a long side of `imgsz`, centred in its input rectangle; its boxes as fractions of that. */
export async function placeSample(
  dataset: Dataset,
  index: number,
  { width, height, imgsz }: { readonly width: number; readonly height: number; readonly imgsz: number },
): Promise<Input> {
  const sample = dataset.samples[index]!;
  const placement = placeLongSide(sample, { width, height }, imgsz);
  const { innerWidth, innerHeight, left, top } = placement;
  const picture = await loadResized(dataset, index, placement);
  const boxes = sample.boxes.map(
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

/** A picture of a dataset at the size that it has in its input rectangle. */
export async function loadResized(
  dataset: Dataset,
  index: number,
  { innerWidth, innerHeight }: Placement,
): Promise<Image> {
  if (dataset.loadResized) return dataset.loadResized(index, innerWidth, innerHeight);
  return resizeBilinear(await dataset.load(index), innerWidth, innerHeight);
}
