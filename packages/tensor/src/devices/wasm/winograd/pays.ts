// Which convolutions Winograd's kernels take, and which of these they make faster than the direct ones.
import type { ConvGeometry, Pair } from "../../../primitives/conv/geometry.ts";
import { type FilterName, filters, isStrided } from "../kernels/winograd-matrices.ts";
import { FOUR, PANEL } from "../kernels/winograd-product.ts";
import { gridOf, positionsOf, type TileSizes } from "./tiles.ts";

type Pass = "forward" | "input" | "weight";

// Costs in multiply-adds of the direct kernels, fitted to timings of 31 geometries from 4 to 256 channels, maps of 4 to 80 and
// batches of 1 to 16, all passes (Zen 5, Node 20): times follow within 25 %, most within 9 %.
interface Costs {
  /** A product in one position. */
  readonly product: number;
  /** The transforms of one channel of a tile. */
  readonly channel: number;
  /** The transform of one kernel. */
  readonly kernel: number;
}
const costs: Readonly<Record<FilterName, Costs>> = {
  F23: { product: 1.2, channel: 24, kernel: 53 },
  F43: { product: 1.4, channel: 122, kernel: 119 },
  /** Fitted to YOLO11n's convolutions of stride 2: 121 products in 36 positions, and kernels that lie beyond the caches. */
  F52: { product: 3.7, channel: 600, kernel: 2200 },
  /** Those of F52 by the number of products. */
  F42: { product: 3.6, channel: 400, kernel: 1470 },
};
/** A call of a transform. */
const CALL_COST = 3500;
/** The fit errs by more than a gain below this, and the slower of two ways has the smaller rounding errors. */
const LEAST_GAIN = 1.1;
/** The sum of a geometry's channels: tiles of more do not fit into a thread's scratch. */
const MOST_CHANNELS = 3072;

/** The convolution that a pass runs: its results, or the cotangents of stride 2, and the channels that it sums over and makes. */
const sizesOf = (filter: FilterName, { N, C, H, W, O, Ho, Wo }: ConvGeometry, pass: Pass): TileSizes =>
  pass !== "input"
    ? { filter, N, Ho, Wo, C, O }
    : { filter, N, ...(isStrided(filter) ? { Ho, Wo } : { Ho: H, Wo: W }), C: O, O: C };

/** Whether a filter's kernels can run it: r x r, stride and dilation 1, dense, whole vectors and panels, a tile at least; F42 and F52, 3 x 3 of stride 2. */
export function winogradFits(filter: FilterName, g: ConvGeometry, pass: Pass): boolean {
  const { m, r } = filters[filter];
  const { N, Ho, Wo, C, O } = sizesOf(filter, g, pass);
  const same = (pair: Pair, n: number) => pair[0] === n && pair[1] === n;
  const [taps, stride] = isStrided(filter) ? [3, 2] : [r, 1];
  const settings = same([g.kh, g.kw], taps) && same(g.stride, stride) && (stride === 1 || same(g.padding, 1));
  // The input gradient of stride 2 is written in whole tiles of 2 m x 2 m pixels.
  const whole = !isStrided(filter) || pass !== "input" || (g.H % (2 * m) === 0 && g.W % (2 * m) === 0);
  const plain = settings && whole && same(g.dilation, 1) && g.groups === 1;
  return plain && N > 0 && C % 4 === 0 && O % PANEL === 0 && C + O <= MOST_CHANNELS && Ho >= m && Wo >= m;
}

function costOf(filter: FilterName, g: ConvGeometry, pass: Pass, still: boolean): number {
  const sizes = sizesOf(filter, g, pass);
  const { N, Wo, C, O } = sizes;
  const { m, rows, tiles } = gridOf(sizes);
  const { product, channel, kernel } = costs[filter];
  const multiplied = pass === "weight" ? tiles : FOUR * Math.ceil(tiles / FOUR);
  const calls = 2 * N * rows * (Wo % m > 0 ? 2 : 1);
  const products = product * positionsOf(filter) * multiplied * C * O;
  const kernels = still ? 0 : isStrided(filter) && pass === "weight" ? kernel / 2 : kernel;
  return products + channel * tiles * (C + O) + kernels * C * O + CALL_COST * calls;
}

/**
 * The filter to take instead of the direct kernels, if one is faster by a tenth at least; F43 if it is faster than F23 by another
 * tenth, and F42 than F52. From 16 channels on both sides and 8 x 8 results on, one is. `still`: the weights are transformed before all runs.
 */
export function winogradFilter(g: ConvGeometry, pass: Pass, still: boolean): FilterName | undefined {
  const candidates = g.stride[0] === 1 ? (["F23", "F43"] as const) : (["F52", "F42"] as const);
  const { N, Ho, Wo, C, O } = sizesOf(candidates[0], g, pass);
  let [best, least]: [FilterName | undefined, number] = [undefined, 9 * C * O * N * Ho * Wo];
  for (const filter of candidates) {
    if (!winogradFits(filter, g, pass)) continue;
    const cost = costOf(filter, g, pass, still);
    if (least > LEAST_GAIN * cost) [best, least] = [filter, cost];
  }
  return best;
}
