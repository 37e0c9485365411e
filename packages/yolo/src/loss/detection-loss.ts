// The loss of a YOLO11 detector: box (complete IoU), class (binary cross entropy) and distribution focal loss.
import {
  abs,
  arange,
  cast,
  concat,
  div,
  equal,
  exp,
  fromData,
  hostCall,
  logSoftmax,
  maximum,
  mean,
  mul,
  neg,
  OpError,
  permute,
  relu,
  reshape,
  showShape,
  sigmoid,
  slice,
  split,
  stack,
  sub,
  sum,
  type Tensor,
  tensor,
  unsqueeze,
  where,
} from "@orepa/tensor";
import { type AssignerOptions, assignTargets, type Reals } from "./assigner.ts";
import { binaryCrossEntropy } from "./binary-cross-entropy.ts";
import { type AnchorPoints, anchorPoints, boxToDistance, ciou, distanceToBox, xywhToXyxy } from "./boxes.ts";

/** Weights of the three items. */
export interface LossGains {
  readonly box: number;
  readonly cls: number;
  readonly dfl: number;
}
export const defaultGains: LossGains = { box: 7.5, cls: 0.5, dfl: 1.5 };
/** Bins of a predicted distance: 0 ... 15 cells. */
const REG_MAX = 16;

export interface DetectionLossOptions {
  readonly nc: number;
  /** Pixels of a cell of each map. */
  readonly strides: readonly number[];
  /** Bins of each of the four distances. */
  readonly regMax?: number;
  readonly gains?: LossGains;
  readonly assigner?: AssignerOptions;
}

export interface DetectionLoss {
  /** Scalar: the sum of the items times the batch size, which is what training differentiates. */
  readonly total: Tensor;
  /** (3): box, cls, dfl, with their gains. */
  readonly items: Tensor;
}

/**
 * The detection loss over raw head maps.
 *
 * @param maps one for each stride, (B, 4 regMax + nc, h, w): logits of the distances left, top, right, bottom (side
 *   major, regMax bins each), then class logits. float32 or float64, which decides the precision of the result.
 * @param targets (B, M, 5) class, cx, cy, w, h in fractions of the image; rows of zeros are empty places.
 * @throws OpError unless maps, strides and targets have these shapes and agree; RangeError for a class outside 0 ... nc - 1.
 */
export function detectionLoss(maps: readonly Tensor[], targets: Tensor, options: DetectionLossOptions): DetectionLoss {
  check(maps, targets, options);
  const predictions = readPredictions(maps, options);
  return assignedLoss(predictions, assign(predictions, targets, options), options);
}

function check(
  maps: readonly Tensor[],
  targets: Tensor,
  { nc, strides, regMax = REG_MAX }: DetectionLossOptions,
): void {
  if (maps.length !== strides.length || maps.length === 0)
    throw new OpError("detectionLoss", `one map for each of ${strides.length} strides`, `${maps.length} maps`);
  const channels = 4 * regMax + nc;
  for (const { shape } of maps)
    if (shape.length !== 4 || shape[1] !== channels || shape[0] !== maps[0]!.shape[0])
      throw new OpError("detectionLoss", `maps [B, ${channels}, h, w]`, showShape(shape), "channels are 4 regMax + nc");
  if (targets.rank !== 3 || targets.shape[0] !== maps[0]!.shape[0] || targets.shape[2] !== 5)
    throw new OpError("detectionLoss", `targets [${maps[0]!.shape[0]}, M, 5]`, showShape(targets.shape));
}

/** What head maps say, for every anchor: map after map, row by row. */
export interface Predictions {
  /** (B, A, 4, regMax) log probabilities of the distances left, top, right, bottom. */
  readonly logBins: Tensor;
  /** (B, A, 4) corners in cells of the anchor's map. */
  readonly boxes: Tensor;
  /** (B, A, nc) class logits. */
  readonly logits: Tensor;
  readonly anchors: AnchorPoints;
  /** Size of the network's input in pixels. */
  readonly input: { readonly width: number; readonly height: number };
}

/** Reads raw head maps (as {@link detectionLoss} takes them). */
export function readPredictions(
  maps: readonly Tensor[],
  { nc, strides, regMax = REG_MAX }: DetectionLossOptions,
): Predictions {
  const sizes = maps.map(({ shape }) => ({ height: shape[2]!, width: shape[3]! }));
  const { dtype } = maps[0]!;
  const anchors = anchorPoints(sizes, strides, { dtype });
  const [sides, logits] = split(flattenMaps(maps), [4 * regMax, nc], 2) as [Tensor, Tensor];
  const logBins = logSoftmax(reshape(sides, [sides.shape[0]!, -1, 4, regMax]), -1);
  const distance = sum(mul(exp(logBins), arange(regMax, undefined, { dtype })), -1);
  return {
    logBins,
    boxes: distanceToBox(distance, anchors.points),
    logits,
    anchors,
    input: { width: sizes[0]!.width * strides[0]!, height: sizes[0]!.height * strides[0]! },
  };
}

/** The loss for given targets of every anchor. */
export function assignedLoss(
  { logBins, boxes, logits, anchors }: Predictions,
  assigned: AssignedTargets,
  { gains = defaultGains }: DetectionLossOptions,
): DetectionLoss {
  const { dtype } = boxes;
  const { weight } = assigned;
  const scale = maximum(sum(weight), 1);
  const box = sum(mul(sub(1, ciou(boxes, assigned.boxes)), weight));
  const cls = sum(binaryCrossEntropy(logits, assigned.scores));
  const dfl = sum(mul(distributionFocalLoss(logBins, anchors.points, assigned.boxes), weight));
  const items = mul(div(stack([box, cls, dfl]), scale), tensor([gains.box, gains.cls, gains.dfl], { dtype }));
  return { total: mul(sum(items), boxes.shape[0]!), items };
}

/**
 * Cross entropy to the two bins that neighbour the true distance, linearly weighted, mean of the four sides
 * (Li et al. 2020, eq. 6). The two weights are the triangle max(0, 1 - |distance - bin|).
 *
 * @param logBins (..., 4, bins) log probabilities.
 * @param boxes (..., 4) true corners in cells.
 * @returns (...)
 */
function distributionFocalLoss(logBins: Tensor, points: Tensor, boxes: Tensor): Tensor {
  const count = logBins.shape.at(-1)!;
  const bins = arange(count, undefined, { dtype: logBins.dtype });
  const distance = boxToDistance(points, boxes, count - 1);
  const weight = relu(sub(1, abs(sub(unsqueeze(distance, -1), bins))));
  return mean(neg(sum(mul(weight, logBins), -1)), -1);
}

/** Maps (B, C, h, w) to one list (B, A, C): map after map, row by row. */
function flattenMaps(maps: readonly Tensor[]): Tensor {
  return concat(
    maps.map((map) => {
      const [B, C, h, w] = map.shape as [number, number, number, number];
      return reshape(permute(map, [0, 2, 3, 1]), [B, h * w, C]);
    }),
    1,
  );
}

/** What every anchor shall learn: constants for the gradient. */
export interface AssignedTargets {
  /** (B, A, 4) corners in cells of the anchor's map. */
  readonly boxes: Tensor;
  /** (B, A, nc) in [0, 1], 0 in the background. */
  readonly scores: Tensor;
  /** (B, A) sum of an anchor's scores. */
  readonly weight: Tensor;
}

/** Assigns targets (as {@link detectionLoss} takes them) to anchors; runs on the host in the middle of a program. */
export function assign(
  { boxes, logits, anchors: { points, strides }, input: { width, height } }: Predictions,
  targets: Tensor,
  { nc, assigner = {} }: DetectionLossOptions,
): AssignedTargets {
  const { dtype } = boxes;
  const [batch, count] = boxes.shape as [number, number];
  const sizes = { batch, anchors: count, targets: targets.shape[1]!, nc };
  const fractions = slice(cast(targets, dtype), 2, 1, 5);
  const pixels = mul(fractions, tensor([width, height, width, height], { dtype }));
  const inputs = [
    sigmoid(logits),
    mul(boxes, strides),
    mul(points, strides),
    slice(cast(targets, dtype), 2, 0, 1),
    xywhToXyxy(pixels),
  ];
  const shapes = { boxes: [batch, count, 4], one: [batch, count] };
  const [assignedBoxes, classes, weight] = hostCall(
    inputs,
    (...concrete) => {
      // Float tensors all of them.
      const [scores, boxes, points, targetClasses, targetBoxes] = concrete.map((x) => x.toTypedArray() as Reals);
      const result = assignTargets(
        { scores: scores!, boxes: boxes!, points: points!, targetClasses: targetClasses!, targetBoxes: targetBoxes! },
        sizes,
        assigner,
      );
      return [
        fromData(result.boxes, shapes.boxes),
        fromData(result.classes, shapes.one),
        fromData(result.scores, shapes.one),
      ];
    },
    [
      { shape: shapes.boxes, dtype },
      { shape: shapes.one, dtype },
      { shape: shapes.one, dtype },
    ],
  ) as [Tensor, Tensor, Tensor];
  // One score an anchor, all others 0: loops make the table in registers.
  const isClass = equal(unsqueeze(classes, -1), arange(nc, undefined, { dtype }));
  return { boxes: div(assignedBoxes, strides), scores: where(isClass, unsqueeze(weight, -1), 0), weight };
}
