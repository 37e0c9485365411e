// Which convolutions Winograd's kernels take, and which of these they make faster than the direct ones.
import type { ConvGeometry } from "../../../primitives/conv/geometry.ts";
import { type FilterName, filters } from "../kernels/winograd-matrices.ts";
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
};
/** A call of a transform. */
const CALL_COST = 3500;
/** The fit errs by more than a gain below this, and the slower of two ways has the smaller rounding errors. */
const LEAST_GAIN = 1.1;
/** The sum of a geometry's channels: tiles of more do not fit into a thread's scratch. */
const MOST_CHANNELS = 3072;

/** The convolution of stride 1 that a pass runs: its results, and the channels that it sums over and makes. */
const sizesOf = (filter: FilterName, { N, C, H, W, O, Ho, Wo }: ConvGeometry, pass: Pass): TileSizes =>
  pass === "input" ? { filter, N, Ho: H, Wo: W, C: O, O: C } : { filter, N, Ho, Wo, C, O };

/** Whether a filter's kernels can run it: r x r, stride and dilation 1, dense, whole vectors and panels, a tile at least. */
export function winogradFits(filter: FilterName, g: ConvGeometry, pass: Pass): boolean {
  const { m, r } = filters[filter];
  const { N, Ho, Wo, C, O } = sizesOf(filter, g, pass);
  const plain = g.kh === r && g.kw === r && g.groups === 1 && [...g.stride, ...g.dilation].every((n) => n === 1);
  return plain && N > 0 && C % 4 === 0 && O % PANEL === 0 && C + O <= MOST_CHANNELS && Ho >= m && Wo >= m;
}

function costOf(filter: FilterName, g: ConvGeometry, pass: Pass): number {
  const sizes = sizesOf(filter, g, pass);
  const { N, Wo, C, O } = sizes;
  const { m, rows, tiles } = gridOf(sizes);
  const { product, channel, kernel } = costs[filter];
  const multiplied = pass === "weight" ? tiles : FOUR * Math.ceil(tiles / FOUR);
  const calls = 2 * N * rows * (Wo % m > 0 ? 2 : 1);
  const products = product * positionsOf(filter) * multiplied * C * O;
  return products + channel * tiles * (C + O) + kernel * C * O + CALL_COST * calls;
}

/**
 * The filter to take instead of the direct kernels, if one is faster by a tenth at least, the transform of the weights counted;
 * F43 if it is faster than F23 by another tenth. From 16 channels on both sides and 8 x 8 results on, one is.
 */
export function winogradFilter(g: ConvGeometry, pass: Pass): FilterName | undefined {
  const { N, Ho, Wo, C, O } = sizesOf("F23", g, pass);
  let [best, least]: [FilterName | undefined, number] = [undefined, 9 * C * O * N * Ho * Wo];
  for (const filter of ["F23", "F43"] as const) {
    if (!winogradFits(filter, g, pass)) continue;
    const cost = costOf(filter, g, pass);
    if (least > LEAST_GAIN * cost) [best, least] = [filter, cost];
  }
  return best;
}
