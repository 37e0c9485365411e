// From decoded predictions to boxes in the pixels of the original pictures.
import type { Placement } from "../data/letterbox.ts";
import { type Detections, type NmsOptions, nonMaxSuppression } from "../metrics/nms.ts";

/** x1, y1, x2, y2 in pixels of the original picture, confidence, class. */
export type DetectedBox = readonly [x1: number, y1: number, x2: number, y2: number, confidence: number, cls: number];

/** A picture and where it was placed in the network's input: input = picture * scale + corner. */
export interface PlacedPicture {
  readonly placement: Pick<Placement, "left" | "top" | "scaleX" | "scaleY">;
  /** Its own size in pixels. */
  readonly picture: { readonly width: number; readonly height: number };
}

/**
 * Suppresses overlapping predictions and maps the rest back to the pictures.
 *
 * @param output decoded predictions (batch, 4 + nc, anchors), row-major.
 * @param placed one for each picture of the batch.
 * @returns for each picture its boxes by falling confidence, clipped to the picture.
 * @throws RangeError unless there is one placement for each picture.
 */
export function postprocess(
  output: Float32Array | Float64Array,
  shape: readonly [batch: number, channels: number, anchors: number],
  placed: readonly PlacedPicture[],
  options: NmsOptions,
): DetectedBox[][] {
  if (placed.length !== shape[0])
    throw new RangeError(`postprocess: expected ${shape[0]} placements, one for each picture, got ${placed.length}`);
  return nonMaxSuppression(output, shape, options).map((kept, i) => toBoxes(scaleToPicture(kept, placed[i]!)));
}

/** Detections in input pixels moved to the pixels of the picture they were found in and clipped to it; the rest of a row stays. */
export function scaleToPicture({ count, width, data }: Detections, { placement, picture }: PlacedPicture): Detections {
  const scaled = Float32Array.from(data);
  const { left, top, scaleX, scaleY } = placement;
  const place = (at: number, corner: number, scale: number, size: number): void => {
    scaled[at] = Math.min(Math.max((data[at]! - corner) / scale, 0), size);
  };
  for (let row = 0; row < count * width; row += width)
    for (const corner of [row, row + 2]) {
      place(corner, left, scaleX, picture.width);
      place(corner + 1, top, scaleY, picture.height);
    }
  return { count, width, data: scaled };
}

function toBoxes({ count, width, data }: Detections): DetectedBox[] {
  return Array.from({ length: count }, (_, i) => {
    const [x1, y1, x2, y2, confidence, cls] = data.subarray(i * width, i * width + 6);
    return [x1!, y1!, x2!, y2!, confidence!, cls!];
  });
}
