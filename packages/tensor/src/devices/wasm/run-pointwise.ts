// exp, sigmoid and silu over an array of floats.
import { LANES } from "./layout.ts";
import type { Runtime } from "./runtime.ts";

/** Four lanes at a time; a last vector that is not full is padded by zeros. */
export function runPointwise(runtime: Runtime, name: "exp" | "sigmoid" | "silu", x: Float32Array): Float32Array {
  if (x.length === 0) return new Float32Array(0);
  const vectors = Math.ceil(x.length / LANES);
  const [from, to] = [runtime.allocate(vectors * LANES), runtime.allocate(vectors * LANES)];
  runtime.floats.set(x, from / 4);
  runtime.kernels[name]({ x: from, y: to, vectors });
  return new Float32Array(runtime.floats.subarray(to / 4, to / 4 + x.length));
}
