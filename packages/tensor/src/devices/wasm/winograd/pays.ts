// Which convolutions Winograd's kernels take, and which of these they make faster than the direct ones.
import type { ConvGeometry } from "../../../primitives/conv/geometry.ts";
import { type FilterName, filters } from "../kernels/winograd-matrices.ts";
import { PANEL } from "../kernels/winograd-product.ts";
import { gridOf, positionsOf, type TileSizes } from "./tiles.ts";

type Pass = "forward" | "input" | "weight";

// Costs in multiply-adds of the direct kernel's inner loop, fitted to timings of 45 geometries from 4 to 256 channels, maps
// of 2 to 160 and batches of 1 and 8 (Zen 5, Node 20): the ratio of times follows within 20 %.
/** The transforms of one channel of a tile, and what a short sum costs the products. */
const CHANNEL_COST = 50;
/** A call of a transform. */
const CALL_COST = 3000;
/** The transform of one kernel 3 x 3. */
const KERNEL_COST = 90;
/** The fit errs by more than a gain below this. */
const LEAST_GAIN = 1.1;

/** The convolution of stride 1 that a pass runs: its results, and the channels that it sums over and makes. */
const sizesOf = (filter: FilterName, { N, C, H, W, O, Ho, Wo }: ConvGeometry, pass: Pass): TileSizes =>
  pass === "input" ? { filter, N, Ho: H, Wo: W, C: O, O: C } : { filter, N, Ho, Wo, C, O };

/** Whether a filter's kernels can run it: r x r, stride and dilation 1, dense, whole vectors and panels, a tile at least. */
export function winogradFits(filter: FilterName, g: ConvGeometry, pass: Pass): boolean {
  const { m, r } = filters[filter];
  const { N, Ho, Wo, C, O } = sizesOf(filter, g, pass);
  const plain = g.kh === r && g.kw === r && g.groups === 1 && [...g.stride, ...g.dilation].every((n) => n === 1);
  return plain && N > 0 && C % 4 === 0 && O % PANEL === 0 && Ho >= m && Wo >= m;
}

/**
 * The filter that is faster than the direct kernels by a tenth at least, the transform of the weights counted, if there is
 * one. From 16 channels on both sides and 8 x 8 results on, there is.
 */
export function winogradFilter(g: ConvGeometry, pass: Pass): FilterName | undefined {
  const filter = "F23";
  if (!winogradFits(filter, g, pass)) return undefined;
  const sizes = sizesOf(filter, g, pass);
  const { N, Ho, Wo, C, O } = sizes;
  const { rows, tiles } = gridOf(sizes);
  const calls = 2 * N * rows * (1 + (Wo & 1));
  const cost = tiles * (positionsOf(filter) * C * O + CHANNEL_COST * (C + O)) + CALL_COST * calls + KERNEL_COST * C * O;
  return 9 * C * O * N * Ho * Wo > LEAST_GAIN * cost ? filter : undefined;
}
