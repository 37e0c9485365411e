// The loss of a YOLO11 detector: box (complete IoU), class (binary cross entropy) and distribution focal loss.
import {
  abs,
  arange,
  binaryCrossEntropyWithLogits,
  cast,
  concat,
  div,
  exp,
  fromData,
  hostCall,
  logSoftmax,
  maximum,
  mean,
  mul,
  neg,
  permute,
  relu,
  reshape,
  sigmoid,
  slice,
  split,
  stack,
  sub,
  sum,
  type Tensor,
  tensor,
  unsqueeze,
} from "@orepa/tensor";
import { type AssignerOptions, assignTargets, type Reals } from "./assigner.ts";
import { anchorPoints, boxToDistance, ciou, distanceToBox, xywhToXyxy } from "./boxes.ts";

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
 * @param targets (B, M, 5) class, cx, cy, w, h in fractions of the image; rows of zeros are empty places. M >= 1.
 */
export function detectionLoss(
  maps: readonly Tensor[],
  targets: Tensor,
  { nc, strides, regMax = REG_MAX, gains = defaultGains, assigner = {} }: DetectionLossOptions,
): DetectionLoss {
  const sizes = maps.map(({ shape }) => ({ height: shape[2]!, width: shape[3]! }));
  const { dtype } = maps[0]!;
  const batch = maps[0]!.shape[0]!;
  const anchors = anchorPoints(sizes, strides, { dtype });
  const [sides, logits] = split(flattenMaps(maps), [4 * regMax, nc], 2) as [Tensor, Tensor];

  const logBins = logSoftmax(reshape(sides, [batch, -1, 4, regMax]), -1);
  const bins = arange(regMax, undefined, { dtype });
  const boxes = distanceToBox(sum(mul(exp(logBins), bins), -1), anchors.points);

  const assigned = assign({ boxes, logits, targets: cast(targets, dtype) }, anchors, sizes, strides, nc, assigner);
  const scale = maximum(sum(assigned.scores), 1);
  const weight = sum(assigned.scores, 2);

  const cls = sum(binaryCrossEntropyWithLogits(logits, assigned.scores));
  const box = sum(mul(sub(1, ciou(boxes, assigned.boxes)), weight));
  const distance = boxToDistance(anchors.points, assigned.boxes, regMax - 1);
  const dfl = sum(mul(distributionFocalLoss(logBins, distance, bins), weight));

  const items = mul(div(stack([box, cls, dfl]), scale), tensor([gains.box, gains.cls, gains.dfl], { dtype }));
  return { total: mul(sum(items), batch), items };
}

/**
 * Cross entropy to the two bins that neighbour the true distance, linearly weighted, mean of the four sides
 * (Li et al. 2020, eq. 6). The two weights are the triangle max(0, 1 - |distance - bin|).
 *
 * @param logBins (..., 4, bins) log probabilities.
 * @param distance (..., 4) in [0, bins - 1).
 */
function distributionFocalLoss(logBins: Tensor, distance: Tensor, bins: Tensor): Tensor {
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
interface Assigned {
  /** (B, A, 4) corners in cells of the anchor's map. */
  readonly boxes: Tensor;
  /** (B, A, nc), 0 in the background. */
  readonly scores: Tensor;
}

function assign(
  { boxes, logits, targets }: { readonly boxes: Tensor; readonly logits: Tensor; readonly targets: Tensor },
  anchors: { readonly points: Tensor; readonly strides: Tensor },
  sizes: readonly { readonly height: number; readonly width: number }[],
  strides: readonly number[],
  nc: number,
  options: AssignerOptions,
): Assigned {
  const [batch, count] = boxes.shape as [number, number];
  const places = targets.shape[1]!;
  const { dtype } = boxes;
  const width = sizes[0]!.width * strides[0]!;
  const height = sizes[0]!.height * strides[0]!;
  const pixels = mul(slice(targets, 2, 1, 5), tensor([width, height, width, height], { dtype }));
  const [assignedBoxes, scores] = hostCall(
    [
      sigmoid(logits),
      mul(boxes, anchors.strides),
      mul(anchors.points, anchors.strides),
      slice(targets, 2, 0, 1),
      xywhToXyxy(pixels),
    ],
    (...inputs) => {
      const [s, b, p, c, t] = inputs.map((x) => x.toTypedArray() as Reals) as [Reals, Reals, Reals, Reals, Reals];
      const result = assignTargets(
        { scores: s, boxes: b, points: p, targetClasses: c, targetBoxes: t },
        { batch, anchors: count, targets: places, nc },
        options,
      );
      return [fromData(result.boxes, [batch, count, 4]), fromData(result.scores, [batch, count, nc])];
    },
    [
      { shape: [batch, count, 4], dtype },
      { shape: [batch, count, nc], dtype },
    ],
  ) as [Tensor, Tensor];
  return { boxes: div(assignedBoxes, anchors.strides), scores };
}
