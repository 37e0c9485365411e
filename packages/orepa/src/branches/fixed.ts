// Branch "fixed": a 1x1 convolution followed by an edge filter, the same for all channels (Zhang et al. 2021, ECBSR).
import { OpError, tensor } from "@orepa/tensor";
import type { BranchOptions } from "../branch.ts";
import type { Geometry } from "../geometry.ts";
import { FilteredBranch } from "./filtered.ts";

/** Row n of Pascal's triangle: the smoothing window of n + 1 taps. */
const binomial = (n: number): readonly number[] => (n === 0 ? [1] : convolve(binomial(n - 1), [1, 1]));
const convolve = (a: readonly number[], b: readonly number[]): readonly number[] =>
  Array.from({ length: a.length + b.length - 1 }, (_, n) => a.reduce((sum, v, i) => sum + v * (b[n - i] ?? 0), 0));

/** Smoothed differences of k taps; of three taps [-1, 0, 1] and [1, -2, 1]. */
const first = (k: number): readonly number[] => convolve(binomial(k - 3), [-1, 0, 1]);
const second = (k: number): readonly number[] => convolve(binomial(k - 3), [1, -2, 1]);
const middle = (k: number, at: number): number => Number(at === (k - 1) / 2);

const filters = {
  "sobel-x": (k: number, y: number, x: number) => binomial(k - 1)[y]! * first(k)[x]!,
  "sobel-y": (k: number, y: number, x: number) => first(k)[y]! * binomial(k - 1)[x]!,
  laplacian: (k: number, y: number, x: number) => second(k)[y]! * middle(k, x) + middle(k, y) * second(k)[x]!,
} as const;

/** Edge filters: first differences along x or y, smoothed across; the sum of the second differences. */
export type FixedFilter = keyof typeof filters;

/** K[o,i,y,x] = p[o,i] F[y,x] with an edge filter F. */
export class FixedFilterBranch extends FilteredBranch {
  /** @throws OpError for a filter it does not know, and for a 1x1 kernel. */
  constructor(
    geometry: Geometry,
    { filter, name = filter, gain = 1 }: BranchOptions & { readonly filter: FixedFilter },
  ) {
    if (!Object.hasOwn(filters, filter))
      throw new OpError(name, `one of ${Object.keys(filters).join(", ")}`, String(filter));
    const values = (k: number) =>
      Float64Array.from({ length: k * k }, (_, n) => filters[filter](k, Math.floor(n / k), n % k));
    super(geometry, (k) => tensor(values(k), { shape: [k, k], dtype: "float32" }), { name, gain });
  }
}
