// Sorting indices by falling confidence: the order in which suppression and average precision walk detections.

/** Exact integers of a double leave this many bits for the index once 31 bits hold a non-negative float32. */
const INDEX_COUNT = 2 ** 22;
const LARGEST_BITS = 2 ** 31 - 1;

/**
 * Indices of `values` (each >= 0) from the largest to the smallest; equal values keep their order.
 *
 * The bits of non-negative float32 numbers grow with their value, so value and index pack into one double and the
 * engine's native numeric sort does the work: about ten times the speed of a comparator on 600,000 candidates.
 */
export function descendingOrder(values: Float32Array): Uint32Array {
  const n = values.length;
  const order = new Uint32Array(n);
  if (n > INDEX_COUNT) {
    for (let i = 0; i < n; i++) order[i] = i;
    return order.sort((i, j) => values[j]! - values[i]! || i - j);
  }
  const bits = new Uint32Array(values.buffer, values.byteOffset, n);
  const keys = new Float64Array(n);
  for (let i = 0; i < n; i++) keys[i] = (LARGEST_BITS - bits[i]!) * INDEX_COUNT + i;
  keys.sort();
  for (let i = 0; i < n; i++) order[i] = keys[i]! % INDEX_COUNT;
  return order;
}
