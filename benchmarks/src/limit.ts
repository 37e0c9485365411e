// What one core can do: multiply-adds on four lanes in registers alone, twelve chains that do not wait for each other.
import { define, type Exports, f32x4, instantiate, integers, load, op, WebAssembly } from "@orepa/tensor/wasm";

const CHAINS = 12;
const UNROLL = 8;
const LANES = 4;
const TURNS = 20_000;

const limit = define(integers("at", "turns"), (f, { at, turns }) => {
  const chains = f.locals("v128", CHAINS);
  const factor = f.local("v128");
  f.set(factor, load("v128.load", at));
  f.countdown(turns, () => {
    for (let u = 0; u < UNROLL; u++)
      for (const chain of chains) f.set(chain, op("f32x4.add", op("f32x4.mul", factor, chain), f32x4(1)));
  });
  for (const [i, chain] of chains.entries()) f.store("v128.store", at, chain, 16 * (i + 1));
});

/** Floating-point operations of one call of `runLimit`. */
export const LIMIT_FLOP = TURNS * UNROLL * CHAINS * LANES * 2;

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: false });
const kernels: Exports<{ limit: typeof limit }> = instantiate({ limit }, memory);

/** Runs the loop once. @throws Error if it computed something else: x = x / 2 + 1 tends to 2. */
export function runLimit(): void {
  const floats = new Float32Array(memory.buffer);
  floats.fill(0.5, 0, LANES);
  kernels.limit({ at: 0, turns: TURNS });
  const chains = floats.subarray(LANES, LANES * (CHAINS + 1));
  if (chains.some((x) => x !== 2)) throw new Error(`limit: expected chains of 2, got ${chains.join(" ")}`);
}
