// exp, sigmoid and silu over an array of floats.
import { LANES } from "./layout.ts";
import type { Session } from "./session.ts";

/** Four lanes at a time; a last vector that is not full is padded by zeros. */
export function runPointwise(session: Session, name: "exp" | "sigmoid" | "silu", x: Float32Array): Float32Array {
  if (x.length === 0) return new Float32Array(0);
  const vectors = Math.ceil(x.length / LANES);
  const [from, to] = [session.allocate(vectors * LANES), session.allocate(vectors * LANES)];
  session.floats.set(x, from / 4);
  session.kernels[name]({ x: from, y: to, vectors });
  return new Float32Array(session.floats.subarray(to / 4, to / 4 + x.length));
}
