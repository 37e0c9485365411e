// From decoded predictions to boxes in the pixels of the original pictures.
import { type Detections, type NmsOptions, nonMaxSuppression } from "../metrics/nms.ts";

/** x1, y1, x2, y2 in pixels of the original picture, confidence, class. */
export type DetectedBox = readonly [x1: number, y1: number, x2: number, y2: number, confidence: number, cls: number];

/** How a picture was placed in the network's input: input = picture * gain + padding. */
export interface LetterboxPlacement {
  readonly gain: number;
  /** Pixels of padding left of the picture and above it, in the input. */
  readonly padX: number;
  readonly padY: number;
  /** Size of the original picture in pixels. */
  readonly width: number;
  readonly height: number;
}

/**
 * Suppresses overlapping predictions and maps the rest back to the pictures.
 *
 * @param output decoded predictions (batch, 4 + nc, anchors), row-major.
 * @param placements one for each picture of the batch.
 * @returns for each picture its boxes by falling confidence, clipped to the picture.
 * @throws RangeError unless there is one placement for each picture.
 */
export function postprocess(
  output: Float32Array | Float64Array,
  shape: readonly [batch: number, channels: number, anchors: number],
  placements: readonly LetterboxPlacement[],
  options: NmsOptions,
): DetectedBox[][] {
  if (placements.length !== shape[0])
    throw new RangeError(
      `postprocess: expected ${shape[0]} placements, one for each picture, got ${placements.length}`,
    );
  return nonMaxSuppression(output, shape, options).map((kept, i) => toBoxes(scaleToPicture(kept, placements[i]!)));
}

/** Detections in input pixels moved to the pixels of the original picture and clipped to it; the rest of a row stays. */
export function scaleToPicture({ count, width, data }: Detections, placement: LetterboxPlacement): Detections {
  const scaled = Float32Array.from(data);
  const { gain, padX, padY } = placement;
  const place = (at: number, padding: number, size: number): void => {
    scaled[at] = Math.min(Math.max((data[at]! - padding) / gain, 0), size);
  };
  for (let row = 0; row < count * width; row += width) {
    place(row, padX, placement.width);
    place(row + 1, padY, placement.height);
    place(row + 2, padX, placement.width);
    place(row + 3, padY, placement.height);
  }
  return { count, width, data: scaled };
}

function toBoxes({ count, width, data }: Detections): DetectedBox[] {
  return Array.from({ length: count }, (_, i) => {
    const [x1, y1, x2, y2, confidence, cls] = data.subarray(i * width, i * width + 6);
    return [x1!, y1!, x2!, y2!, confidence!, cls!];
  });
}
