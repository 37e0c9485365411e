// Differentiable functions of boxes: the IoU family, corners and centres, distances from anchor points.
import {
  add,
  atan,
  cast,
  clamp,
  concat,
  type Dtype,
  detach,
  div,
  fromData,
  maximum,
  minimum,
  mul,
  split,
  square,
  squeeze,
  sub,
  type Tensor,
} from "@orepa/tensor";

/** Keeps quotients of empty boxes finite; the value of the reference implementation. */
const EPSILON = 1e-7;

/** What the four numbers of a box are: corners x1, y1, x2, y2, or centre and size cx, cy, w, h. */
export type BoxFormat = "xyxy" | "xywh";
export interface BoxOptions {
  readonly format?: BoxFormat;
}

/**
 * Intersection over union of boxes a and b, pair by pair.
 * @param a (..., 4), broadcast against `b`.
 * @returns (...), in [0, 1].
 */
export const iou = (a: Tensor, b: Tensor, options?: BoxOptions): Tensor => squeeze(overlap(a, b, options).iou, -1);

/** GIoU = IoU - |C \ (A u B)| / |C|, C the smallest enclosing box  (Rezatofighi et al. 2019, eq. 4); shapes as {@link iou}. */
export function giou(a: Tensor, b: Tensor, options?: BoxOptions): Tensor {
  const pair = overlap(a, b, options);
  const { width, height } = enclosing(pair);
  const area = add(mul(width, height), EPSILON);
  return squeeze(sub(pair.iou, div(sub(area, pair.union), area)), -1);
}

/** DIoU = IoU - rho^2 / c^2: centre distance over the enclosing diagonal  (Zheng et al. 2020, eq. 7); shapes as {@link iou}. */
export function diou(a: Tensor, b: Tensor, options?: BoxOptions): Tensor {
  const pair = overlap(a, b, options);
  return squeeze(sub(pair.iou, centreDistance(pair)), -1);
}

/**
 * CIoU = DIoU - alpha v, v = 4 / pi^2 (atan(w_b / h_b) - atan(w_a / h_a))^2, alpha = v / (1 - IoU + v)
 * (Zheng et al. 2020, eq. 8 to 11). The gradient takes alpha for a constant. Shapes as {@link iou}.
 */
export function ciou(a: Tensor, b: Tensor, options?: BoxOptions): Tensor {
  const pair = overlap(a, b, options);
  const angle = sub(atan(div(pair.b.width, pair.b.height)), atan(div(pair.a.width, pair.a.height)));
  const v = mul(square(angle), 4 / Math.PI ** 2);
  const alpha = detach(div(v, add(sub(v, pair.iou), 1 + EPSILON)));
  return squeeze(sub(sub(pair.iou, centreDistance(pair)), mul(v, alpha)), -1);
}

/** Centre and size to corners, over the last axis of 4. */
export function xywhToXyxy(boxes: Tensor): Tensor {
  const [centre, size] = split(boxes, 2, -1) as [Tensor, Tensor];
  const half = mul(size, 0.5);
  return concat([sub(centre, half), add(centre, half)], -1);
}

/** Corners to centre and size, over the last axis of 4. */
export function xyxyToXywh(boxes: Tensor): Tensor {
  const [low, high] = split(boxes, 2, -1) as [Tensor, Tensor];
  return concat([mul(add(low, high), 0.5), sub(high, low)], -1);
}

/** Distances left, top, right, bottom (..., 4) from points (..., 2) to the box with these sides, in the same unit. */
export function distanceToBox(distance: Tensor, points: Tensor, { format = "xyxy" }: BoxOptions = {}): Tensor {
  const [leftTop, rightBottom] = split(distance, 2, -1) as [Tensor, Tensor];
  const corners = concat([sub(points, leftTop), add(points, rightBottom)], -1);
  return format === "xyxy" ? corners : xyxyToXywh(corners);
}

/**
 * Distances left, top, right, bottom from points (..., 2) to the sides of boxes (..., 4: x1, y1, x2, y2), limited to
 * [0, limit - 0.01], so that the upper of the two neighbouring bins of a distribution over 0 ... limit exists.
 */
export function boxToDistance(points: Tensor, boxes: Tensor, limit: number): Tensor {
  const [low, high] = split(boxes, 2, -1) as [Tensor, Tensor];
  return clamp(concat([sub(points, low), sub(high, points)], -1), { min: 0, max: limit - BIN_MARGIN });
}
const BIN_MARGIN = 0.01;

/** Centres of the cells of feature maps, map after map, row by row. */
export interface AnchorPoints {
  /** (A, 2): x and y in cells. */
  readonly points: Tensor;
  /** (A, 1): pixels of a cell. */
  readonly strides: Tensor;
}

/** Cell centres of feature maps of the given sizes; `strides[i]` pixels to a cell of map i. */
export function anchorPoints(
  maps: readonly { readonly height: number; readonly width: number }[],
  strides: readonly number[],
  { dtype = "float32" }: { readonly dtype?: Dtype } = {},
): AnchorPoints {
  const points: number[] = [];
  const sizes: number[] = [];
  maps.forEach(({ height, width }, level) => {
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        points.push(x + 0.5, y + 0.5);
        sizes.push(strides[level]!);
      }
  });
  const made = (values: number[], width: number): Tensor =>
    cast(fromData(Float64Array.from(values), [sizes.length, width]), dtype);
  return { points: made(points, 2), strides: made(sizes, 1) };
}

interface Box {
  readonly x1: Tensor;
  readonly y1: Tensor;
  readonly x2: Tensor;
  readonly y2: Tensor;
  readonly width: Tensor;
  readonly height: Tensor;
}

interface Pair {
  readonly a: Box;
  readonly b: Box;
  readonly union: Tensor;
  readonly iou: Tensor;
}

function sides(boxes: Tensor, format: BoxFormat): Box {
  const [p, q, r, s] = split(boxes, 1, -1) as [Tensor, Tensor, Tensor, Tensor];
  if (format === "xyxy") return { x1: p, y1: q, x2: r, y2: s, width: sub(r, p), height: add(sub(s, q), EPSILON) };
  const halfWidth = mul(r, 0.5);
  const halfHeight = mul(s, 0.5);
  return {
    x1: sub(p, halfWidth),
    x2: add(p, halfWidth),
    y1: sub(q, halfHeight),
    y2: add(q, halfHeight),
    width: r,
    height: s,
  };
}

function overlap(first: Tensor, second: Tensor, { format = "xyxy" }: BoxOptions = {}): Pair {
  const a = sides(first, format);
  const b = sides(second, format);
  const inter = mul(
    clamp(sub(minimum(a.x2, b.x2), maximum(a.x1, b.x1)), { min: 0 }),
    clamp(sub(minimum(a.y2, b.y2), maximum(a.y1, b.y1)), { min: 0 }),
  );
  const union = add(sub(add(mul(a.width, a.height), mul(b.width, b.height)), inter), EPSILON);
  return { a, b, union, iou: div(inter, union) };
}

/** The smallest box around both. */
function enclosing({ a, b }: Pair): { width: Tensor; height: Tensor } {
  return {
    width: sub(maximum(a.x2, b.x2), minimum(a.x1, b.x1)),
    height: sub(maximum(a.y2, b.y2), minimum(a.y1, b.y1)),
  };
}

/** Squared distance of the centres over the squared diagonal of the enclosing box. */
function centreDistance(pair: Pair): Tensor {
  const { a, b } = pair;
  const { width, height } = enclosing(pair);
  const apart = (a1: Tensor, a2: Tensor, b1: Tensor, b2: Tensor): Tensor =>
    square(mul(sub(add(b1, b2), add(a1, a2)), 0.5));
  const distance = add(apart(a.x1, a.x2, b.x1, b.x2), apart(a.y1, a.y2, b.y1, b.y2));
  return div(distance, add(add(square(width), square(height)), EPSILON));
}
