// The generator behind the made-up tensors of fixtures/: every value follows from a key string, so tests draw inputs and
// weights instead of storing them. Rule and check values: fixtures/README.md, "The generator" and "The weight rule".

/** FNV-1a hash, 32 bit, of the UTF-8 bytes of `text`: the seed that belongs to a key. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Draw number `index` (from 0) of the stream of `seed`: mulberry32, in [0, 1). */
function draw(seed: number, index: number): number {
  const a = (seed + Math.imul(index + 1, 0x6d2b79f5)) | 0;
  let t = Math.imul(a ^ (a >>> 15), 1 | a);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

/** The tensor of `key`: row-major values of `shape`, uniform in [low, high), computed in double, rounded to float32. */
export function drawFixture(key: string, shape: readonly number[], low: number, high: number): Float32Array {
  return fill(key, shape, (u) => low + (high - low) * u);
}

/**
 * The value that the weight rule gives the state dict entry `key` of shape `shape`, row-major. `undefined` for the constants that a
 * module builds itself (weight_orepa_prior, weight_orepa_avg_avg, id_tensor): leave those as they are.
 */
export function fixtureWeights(key: string, shape: readonly number[]): Float32Array | undefined {
  if (key.endsWith("num_batches_tracked")) return fill(key, shape, () => 0);
  if (key.endsWith("dfl.conv.weight") || key.endsWith("dfl/conv.weight")) return Float32Array.from(Array(16).keys());
  if (/(weight_orepa_prior|weight_orepa_avg_avg|id_tensor)$/.test(key)) return undefined;
  if (key.endsWith("running_var")) return fill(key, shape, (u) => 0.5 + u);
  if (key.endsWith("running_mean")) return fill(key, shape, (u) => 0.1 * (2 * u - 1));
  if (key.endsWith("vector")) return fill(key, shape, (u) => 0.25 + 0.5 * u);
  if (shape.length >= 2) {
    const bound = Math.sqrt(6 / (count(shape) / shape[0]!));
    return fill(key, shape, (u) => (2 * u - 1) * bound);
  }
  if (key.endsWith("weight")) return fill(key, shape, (u) => 0.75 + 0.5 * u);
  return fill(key, shape, (u) => 0.1 * (2 * u - 1));
}

function fill(key: string, shape: readonly number[], value: (u: number) => number): Float32Array {
  const seed = fnv1a(key);
  return Float32Array.from({ length: count(shape) }, (_, i) => value(draw(seed, i)));
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
