// Non-maximum suppression of decoded predictions, image by image. Axis-aligned boxes only.
import { descendingOrder } from "./order.ts";

/** Boxes kept by suppression, row-major, `width` numbers a row: x1, y1, x2, y2, confidence, class, then the extras. */
export interface Detections {
  readonly count: number;
  readonly width: number;
  readonly data: Float32Array;
}

export interface NmsOptions {
  /** Number of classes; what follows the class scores is carried along unchanged (mask coefficients ...). */
  readonly nc: number;
  /** A score must exceed this to be considered. */
  readonly conf?: number;
  /** A box whose IoU with a better one exceeds this goes. */
  readonly iou?: number;
  /** Most detections of one image. */
  readonly maxDet?: number;
  /** Most candidates that suppression looks at, the best ones. */
  readonly maxNms?: number;
  /** Let boxes of different classes suppress each other. */
  readonly agnostic?: boolean;
  /** Every class above `conf` gives a candidate, not only the best class of an anchor. */
  readonly multiLabel?: boolean;
  /** Classes to keep; all when absent. */
  readonly classes?: readonly number[];
}

/** Boxes of class c are moved by c times this many pixels, so that classes do not meet: above the largest image side. */
const CLASS_OFFSET = 7680;

/**
 * Suppresses overlapping predictions greedily, best score first.
 *
 * @param output decoded predictions, row-major (batch, 4 + nc + extras, anchors): cx, cy, w, h in pixels, class
 *   probabilities, extras.
 * @param shape that shape.
 * @returns one list for each image, by falling confidence.
 */
export function nonMaxSuppression(
  output: Float32Array | Float64Array,
  shape: readonly [batch: number, channels: number, anchors: number],
  options: NmsOptions,
): Detections[] {
  const [batch, channels, anchors] = shape;
  const stride = channels * anchors;
  return Array.from({ length: batch }, (_, b) =>
    suppress(output.subarray(b * stride, (b + 1) * stride), channels, anchors, options),
  );
}

function suppress(
  image: Float32Array | Float64Array,
  channels: number,
  anchors: number,
  {
    nc,
    conf = 0.25,
    iou = 0.7,
    maxDet = 300,
    maxNms = 30_000,
    agnostic = false,
    multiLabel = false,
    classes,
  }: NmsOptions,
): Detections {
  const wanted = classes && new Set(classes);
  const found = multiLabel && nc > 1 ? everyClass(image, anchors, nc, conf) : bestClass(image, anchors, nc, conf);
  const pool = wanted ? keepClasses(found, wanted) : found;
  const order = descendingOrder(pool.score, maxNms);
  const candidates = order.length;

  // x1, y1, x2, y2 of the kept boxes, moved apart by class, and their areas.
  const kept = new Float32Array(4 * maxDet);
  const area = new Float64Array(maxDet);
  const width = channels + 2 - nc;
  const data = new Float32Array(Math.min(maxDet, candidates) * width);
  let count = 0;
  for (let i = 0; i < candidates && count < maxDet; i++) {
    const at = pool.anchor[order[i]!]!;
    const cls = pool.cls[order[i]!]!;
    const halfWidth = image[2 * anchors + at]! / 2;
    const halfHeight = image[3 * anchors + at]! / 2;
    const box = 4 * count;
    const row = count * width;
    data[row] = image[at]! - halfWidth;
    data[row + 1] = image[anchors + at]! - halfHeight;
    data[row + 2] = image[at]! + halfWidth;
    data[row + 3] = image[anchors + at]! + halfHeight;
    const offset = agnostic ? 0 : cls * CLASS_OFFSET;
    for (let k = 0; k < 4; k++) kept[box + k] = data[row + k]! + offset;
    area[count] = (kept[box + 2]! - kept[box]!) * (kept[box + 3]! - kept[box + 1]!);
    if (overlapsKept(kept, area, count, iou)) continue;
    data[row + 4] = pool.score[order[i]!]!;
    data[row + 5] = cls;
    for (let c = 4 + nc, k = row + 6; c < channels; c++, k++) data[k] = image[c * anchors + at]!;
    count++;
  }
  return { count, width, data: data.slice(0, count * width) };
}

/** Whether box `n` meets one of the boxes before it with an IoU above `limit`. */
function overlapsKept(boxes: Float32Array, area: Float64Array, n: number, limit: number): boolean {
  const x1 = boxes[4 * n]!;
  const y1 = boxes[4 * n + 1]!;
  const x2 = boxes[4 * n + 2]!;
  const y2 = boxes[4 * n + 3]!;
  for (let j = 0, o = 0; j < n; j++, o += 4) {
    const w = Math.min(x2, boxes[o + 2]!) - Math.max(x1, boxes[o]!);
    if (w <= 0) continue;
    const h = Math.min(y2, boxes[o + 3]!) - Math.max(y1, boxes[o + 1]!);
    if (h <= 0) continue;
    const inter = w * h;
    if (inter > limit * (area[n]! + area[j]! - inter)) return true;
  }
  return false;
}

/** Boxes that may survive, as parallel lists. */
interface Candidates {
  readonly score: Float32Array;
  readonly anchor: Uint32Array;
  readonly cls: Uint32Array;
}

function bestClass(image: Float32Array | Float64Array, anchors: number, nc: number, conf: number): Candidates {
  // Class by class over all anchors: the order in which the scores lie in memory.
  const best = new Float32Array(anchors).fill(Number.NEGATIVE_INFINITY);
  const which = new Uint32Array(anchors);
  for (let c = 0; c < nc; c++)
    for (let a = 0, o = (4 + c) * anchors; a < anchors; a++, o++) {
      if (image[o]! > best[a]!) {
        best[a] = image[o]!;
        which[a] = c;
      }
    }
  return select(
    anchors,
    (a) => best[a]! > conf,
    (a) => best[a]!,
    (a) => a,
    (a) => which[a]!,
  );
}

function everyClass(image: Float32Array | Float64Array, anchors: number, nc: number, conf: number): Candidates {
  let n = 0;
  for (let i = 4 * anchors; i < (4 + nc) * anchors; i++) if (image[i]! > conf) n++;
  const score = new Float32Array(n);
  const anchor = new Uint32Array(n);
  const cls = new Uint32Array(n);
  for (let c = 0, k = 0; c < nc; c++)
    for (let a = 0, o = (4 + c) * anchors; a < anchors; a++, o++) {
      if (image[o]! > conf) {
        score[k] = image[o]!;
        anchor[k] = a;
        cls[k++] = c;
      }
    }
  return { score, anchor, cls };
}

function keepClasses({ score, anchor, cls }: Candidates, wanted: ReadonlySet<number>): Candidates {
  return select(
    score.length,
    (i) => wanted.has(cls[i]!),
    (i) => score[i]!,
    (i) => anchor[i]!,
    (i) => cls[i]!,
  );
}

function select(
  n: number,
  keep: (i: number) => boolean,
  score: (i: number) => number,
  anchor: (i: number) => number,
  cls: (i: number) => number,
): Candidates {
  const indices = new Uint32Array(n);
  let count = 0;
  for (let i = 0; i < n; i++) if (keep(i)) indices[count++] = i;
  const kept = indices.subarray(0, count);
  return { score: Float32Array.from(kept, score), anchor: kept.map(anchor), cls: kept.map(cls) };
}
