// A picture of a dataset with its labels, fitted into an input rectangle.
import { letterbox, type Placement, placeLongSide } from "./letterbox.ts";
import type { Box, Dataset, LabelledImage } from "./types.ts";

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
