// The task-aligned assigner: which anchor learns which target, and how strongly  (Feng et al. 2021, TOOD).
// Plain numbers; the loss calls it in the middle of a program, without a gradient.

/** Numbers of a list, in the precision of the program. */
export type Reals = Float32Array | Float64Array;

/** Sizes of an assignment. */
export interface AssignerSizes {
  readonly batch: number;
  readonly anchors: number;
  /** Places for targets in each image. */
  readonly targets: number;
  readonly nc: number;
}

/** What is matched; all lists row-major, boxes x1, y1, x2, y2 and points in pixels. */
export interface AssignerInputs {
  /** (batch, anchors, nc) probabilities. */
  readonly scores: Reals;
  /** (batch, anchors, 4) predicted boxes. */
  readonly boxes: Reals;
  /** (anchors, 2) cell centres. */
  readonly points: Reals;
  /** (batch, targets) classes. */
  readonly targetClasses: Reals;
  /** (batch, targets, 4); a box whose numbers do not sum to more than 0 is an empty place. */
  readonly targetBoxes: Reals;
}

export interface AssignerOptions {
  /** Anchors that a target may claim. */
  readonly topK?: number;
  /** Exponent of the class probability in the alignment metric. */
  readonly alpha?: number;
  /** Exponent of the overlap. */
  readonly beta?: number;
}

/** For every anchor of every image, row-major. */
export interface Assignment<T extends Reals = Reals> {
  /** (batch, anchors) class of the target; of the first target in the background, `nc` where there is no place at all. */
  readonly classes: T;
  /** (batch, anchors, 4) box of the target; of the first target in the background. */
  readonly boxes: T;
  /** (batch, anchors) what the anchor shall say of that class, in [0, 1]: 0 in the background. Of all other classes it shall say 0. */
  readonly scores: T;
  /** (batch, anchors) 1 where the anchor learns a target. */
  readonly foreground: Uint8Array;
  /** (batch, anchors) place of the target in its image; 0 in the background. */
  readonly targetIndex: Int32Array;
}

/** An anchor must lie further than this inside a box; also keeps the score's quotient finite. */
const EPSILON = 1e-9;
const TOP_K = 10;
const ALPHA = 0.5;
const BETA = 6;

/**
 * Assigns targets to anchors.
 *
 * The alignment of an anchor with a target is score^alpha * CIoU^beta for anchors inside the target's box, else 0. Every
 * target claims its topK best anchors; an anchor claimed by several goes to the target it overlaps most. The class target
 * of an anchor is its alignment, scaled so that the best of a target equals the target's best overlap.
 *
 * Anchors of alignment 0 are never claimed. The reference implementation may fill up topK places with them, in the order
 * of its sort; their class target is 0, so that the detection loss is the same.
 *
 * @throws RangeError for a class that is not one of 0 ... nc - 1.
 */
export function assignTargets<T extends Reals>(
  inputs: AssignerInputs & { readonly scores: T },
  sizes: AssignerSizes,
  options: AssignerOptions = {},
): Assignment<T> {
  const { batch, anchors, targets, nc } = sizes;
  // The result has the precision of the scores, which the type of a constructor cannot say.
  const like = (n: number): T => new (inputs.scores.constructor as new (n: number) => T)(n);
  const out = {
    classes: like(batch * anchors),
    boxes: like(batch * anchors * 4),
    scores: like(batch * anchors),
    foreground: new Uint8Array(batch * anchors),
    targetIndex: new Int32Array(batch * anchors),
  };
  if (targets === 0) {
    out.classes.fill(nc);
    return out;
  }
  for (const cls of inputs.targetClasses)
    if (!(Number.isInteger(cls) && cls >= 0 && cls < nc))
      throw new RangeError(`assignTargets: expected target classes 0 to ${nc - 1}, got ${cls}`);
  const metric = new Float64Array(targets * anchors);
  const overlap = new Float64Array(targets * anchors);
  for (let b = 0; b < batch; b++) {
    const image: AssignerInputs = {
      scores: inputs.scores.subarray(b * anchors * nc, (b + 1) * anchors * nc),
      boxes: inputs.boxes.subarray(b * anchors * 4, (b + 1) * anchors * 4),
      points: inputs.points,
      targetClasses: inputs.targetClasses.subarray(b * targets, (b + 1) * targets),
      targetBoxes: inputs.targetBoxes.subarray(b * targets * 4, (b + 1) * targets * 4),
    };
    measureAlignment(image, sizes, { metric, overlap }, options);
    const owner = claimAnchors({ metric, overlap }, sizes, options.topK ?? TOP_K);
    writeTargets(out, image, { metric, overlap }, owner, sizes, b);
  }
  return out;
}

/** Of one image, (targets, anchors) each, row-major. */
export interface Alignment {
  readonly metric: Float64Array;
  /** CIoU, at least 0, of anchors inside the box. */
  readonly overlap: Float64Array;
}

/** Fills `into` with the alignment of one image's targets and anchors. */
export function measureAlignment(
  { scores, boxes, points, targetClasses, targetBoxes }: AssignerInputs,
  { anchors, targets, nc }: AssignerSizes,
  into: Alignment,
  { alpha = ALPHA, beta = BETA }: AssignerOptions = {},
): void {
  into.metric.fill(0);
  into.overlap.fill(0);
  for (let t = 0; t < targets; t++) {
    const x1 = targetBoxes[4 * t]!;
    const y1 = targetBoxes[4 * t + 1]!;
    const x2 = targetBoxes[4 * t + 2]!;
    const y2 = targetBoxes[4 * t + 3]!;
    if (!(x1 + y1 + x2 + y2 > 0)) continue;
    const cls = targetClasses[t]!;
    const aspect = Math.atan((x2 - x1) / (y2 - y1 + BOX_EPSILON));
    for (let a = 0; a < anchors; a++) {
      const x = points[2 * a]!;
      const y = points[2 * a + 1]!;
      if (!(x - x1 > EPSILON && x2 - x > EPSILON && y - y1 > EPSILON && y2 - y > EPSILON)) continue;
      const shared = completeIou(targetBoxes, 4 * t, boxes, 4 * a, aspect);
      if (!(shared > 0)) continue;
      const at = t * anchors + a;
      into.overlap[at] = shared;
      into.metric[at] = scores[a * nc + cls]! ** alpha * shared ** beta;
    }
  }
}

/** For every anchor the target that has it, or -1. */
function claimAnchors({ metric, overlap }: Alignment, { anchors, targets }: AssignerSizes, topK: number): Int32Array {
  const owner = new Int32Array(anchors).fill(-1);
  const contested = new Uint8Array(anchors);
  const best = new Int32Array(topK);
  for (let t = 0; t < targets; t++) {
    const row = t * anchors;
    let n = 0;
    for (let a = 0; a < anchors; a++) {
      const value = metric[row + a]!;
      if (!(value > 0)) continue;
      if (n === topK && !(value > metric[row + best[n - 1]!]!)) continue;
      if (n < topK) n++;
      let k = n - 1;
      for (; k > 0 && value > metric[row + best[k - 1]!]!; k--) best[k] = best[k - 1]!;
      best[k] = a;
    }
    for (let k = 0; k < n; k++) {
      const a = best[k]!;
      if (owner[a]! >= 0) contested[a] = 1;
      owner[a] = t;
    }
  }
  for (let a = 0; a < anchors; a++) {
    if (!contested[a]) continue;
    let most = 0;
    for (let t = 1; t < targets; t++) if (overlap[t * anchors + a]! > overlap[most * anchors + a]!) most = t;
    owner[a] = most;
  }
  return owner;
}

function writeTargets(
  out: Assignment,
  { targetClasses, targetBoxes }: AssignerInputs,
  { metric, overlap }: Alignment,
  owner: Int32Array,
  { anchors, targets }: AssignerSizes,
  image: number,
): void {
  const bestMetric = new Float64Array(targets);
  const bestOverlap = new Float64Array(targets);
  for (let a = 0; a < anchors; a++) {
    const t = owner[a]!;
    if (t < 0) continue;
    bestMetric[t] = Math.max(bestMetric[t]!, metric[t * anchors + a]!);
    bestOverlap[t] = Math.max(bestOverlap[t]!, overlap[t * anchors + a]!);
  }
  for (let a = 0; a < anchors; a++) {
    const t = owner[a]!;
    const place = Math.max(t, 0);
    const at = image * anchors + a;
    out.classes[at] = targetClasses[place]!;
    for (let k = 0; k < 4; k++) out.boxes[4 * at + k] = targetBoxes[4 * place + k]!;
    out.targetIndex[at] = place;
    if (t < 0) continue;
    out.foreground[at] = 1;
    out.scores[at] = (metric[t * anchors + a]! * bestOverlap[t]!) / (bestMetric[t]! + EPSILON);
  }
}

/** Keeps quotients of empty boxes finite; the value of the reference implementation. */
const BOX_EPSILON = 1e-7;

/**
 * Complete IoU of two boxes x1, y1, x2, y2 (the formula of `ciou` in boxes.ts), without a gradient or a tensor; `aspect` is
 * the arc tangent of the first one's width over its height.
 */
function completeIou(a: Reals, i: number, b: Reals, j: number, aspect: number): number {
  const aWidth = a[i + 2]! - a[i]!;
  const aHeight = a[i + 3]! - a[i + 1]! + BOX_EPSILON;
  const bWidth = b[j + 2]! - b[j]!;
  const bHeight = b[j + 3]! - b[j + 1]! + BOX_EPSILON;
  const inter =
    Math.max(Math.min(a[i + 2]!, b[j + 2]!) - Math.max(a[i]!, b[j]!), 0) *
    Math.max(Math.min(a[i + 3]!, b[j + 3]!) - Math.max(a[i + 1]!, b[j + 1]!), 0);
  const shared = inter / (aWidth * aHeight + bWidth * bHeight - inter + BOX_EPSILON);
  const outerWidth = Math.max(a[i + 2]!, b[j + 2]!) - Math.min(a[i]!, b[j]!);
  const outerHeight = Math.max(a[i + 3]!, b[j + 3]!) - Math.min(a[i + 1]!, b[j + 1]!);
  const diagonal = outerWidth ** 2 + outerHeight ** 2 + BOX_EPSILON;
  const distance =
    ((b[j]! + b[j + 2]! - a[i]! - a[i + 2]!) ** 2 + (b[j + 1]! + b[j + 3]! - a[i + 1]! - a[i + 3]!) ** 2) / 4;
  const v = (4 / Math.PI ** 2) * (Math.atan(bWidth / bHeight) - aspect) ** 2;
  const alpha = v / (v - shared + 1 + BOX_EPSILON);
  return shared - (distance / diagonal + v * alpha);
}
