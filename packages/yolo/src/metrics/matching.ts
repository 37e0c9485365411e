// Which detections of one image are true positives, at ten IoU thresholds.
import { boxIouMatrix } from "./box-iou.ts";
import type { Detections } from "./nms.ts";

/** IoU thresholds 0.50, 0.55 ... 0.95 of the COCO measure, rounded to float32 as the IoUs are. */
export const IOU_THRESHOLDS: Float32Array = Float32Array.from({ length: 10 }, (_, i) => 0.5 + 0.05 * i);

/** The true boxes of one image, row-major: class, x1, y1, x2, y2 in the unit of the detections. */
export type TargetRows = Float32Array | Float64Array;

/**
 * Matches the detections of one image (by falling confidence) with its targets.
 *
 * A detection goes for the target of its class that it overlaps most; of several detections at one target the first
 * that reaches the threshold is the true positive.
 *
 * @returns (detections x 10) of 0 and 1, row-major, a column for each of `IOU_THRESHOLDS`.
 */
export function matchDetections(detections: Detections, targets: TargetRows): Uint8Array {
  const n = detections.count;
  const m = targets.length / 5;
  const correct = new Uint8Array(n * IOU_THRESHOLDS.length);
  const iou = boxIouMatrix(detectionBoxes(detections), targetBoxes(targets));
  const takenUpTo = new Float32Array(m); // thresholds below this are taken
  for (let i = 0; i < n; i++) {
    const cls = detections.data[i * detections.width + 5]!;
    let best = 0;
    let at = -1;
    for (let j = 0; j < m; j++) {
      if (targets[5 * j] === cls && iou[i * m + j]! > best) {
        best = iou[i * m + j]!;
        at = j;
      }
    }
    if (at < 0) continue;
    IOU_THRESHOLDS.forEach((t, k) => {
      if (t <= best && t > takenUpTo[at]!) correct[i * IOU_THRESHOLDS.length + k] = 1;
    });
    takenUpTo[at] = Math.max(takenUpTo[at]!, best);
  }
  return correct;
}

/** The first four columns of detections. */
export function detectionBoxes({ count, width, data }: Detections): Float32Array {
  const boxes = new Float32Array(4 * count);
  for (let i = 0; i < count; i++) boxes.set(data.subarray(i * width, i * width + 4), 4 * i);
  return boxes;
}

/** The boxes of target rows. */
export function targetBoxes(targets: TargetRows): Float32Array {
  const boxes = new Float32Array((targets.length / 5) * 4);
  for (let i = 0; i < targets.length / 5; i++) boxes.set(targets.subarray(5 * i + 1, 5 * i + 5), 4 * i);
  return boxes;
}
