// The fixed filters of the frequency prior: cosines of a two-dimensional DCT-II (Ahmed, Natarajan, Rao 1974).
import { type Tensor, tensor } from "@orepa/tensor";

/** Which cosines the output channels get; see `frequencyPrior`. */
export type FrequencyPrior = "published" | "wrapped";

const cosine = (frequency: number, position: number, k: number): number =>
  Math.cos((Math.PI * frequency * (position + 0.5)) / k);

const filters: Record<FrequencyPrior, (o: number, channels: number, k: number) => (y: number, x: number) => number> = {
  published: (o, channels, k) => {
    const half = channels / 2;
    return o < half ? (y) => cosine(o + 1, y, k) : (_, x) => cosine(o + 1 - half, x, k);
  },
  wrapped: (o, _, k) => {
    const pattern = 1 + (o % (k ** 2 - 1));
    const [u, v] = [Math.floor(pattern / k), pattern % k];
    return (y, x) => cosine(u, y, k) * cosine(v, x, k);
  },
};

/**
 * The filters F [channels, k, k], float32.
 *
 * `published`, as in the paper's code with k in place of 3: vertical waves for the first half of the channels, horizontal ones
 * for the second, the frequency growing with the channel:
 *
 *     F[o,y,x] = cos(pi (y + 1/2) (o + 1) / k)               for o < O/2
 *     F[o,y,x] = cos(pi (x + 1/2) (o + 1 - O/2) / k)         otherwise (O/2 is not rounded)
 *
 * Frequencies beyond k - 1 repeat earlier ones, and every odd multiple of k gives a filter of zeros.
 *
 * `wrapped`: all k^2 - 1 patterns of the two-dimensional DCT but the constant one (the average branch has that), in turn:
 *
 *     n = 1 + o mod (k^2 - 1),  u = floor(n / k),  v = n mod k
 *     F[o,y,x] = cos(pi u (y + 1/2) / k) * cos(pi v (x + 1/2) / k)
 */
export function frequencyPrior(kind: FrequencyPrior, channels: number, k: number): Tensor {
  const values = new Float32Array(channels * k * k);
  for (let o = 0, n = 0; o < channels; o++) {
    const filter = filters[kind](o, channels, k);
    for (let y = 0; y < k; y++) for (let x = 0; x < k; x++) values[n++] = filter(y, x);
  }
  return tensor(values, { shape: [channels, k, k] });
}
