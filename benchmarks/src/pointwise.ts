// exp, sigmoid and silu of one feature map: the cpu device's kernels and the WebAssembly polynomial.
import { exp, fromData, sigmoid, silu, type Tensor } from "@orepa/tensor";
import { type Runtime, runPointwise } from "@orepa/tensor/wasm";
import { medians } from "./time.ts";

export interface PointwiseRow {
  readonly name: string;
  /** Millions of elements a second of one thread, with the copies in and out for wasm. */
  readonly cpu: number;
  readonly fast: number;
}
const SIZE = 2 ** 18;
/** float32 kernels: the polynomial's error of 1e-7, and roundings on both sides. */
const TOLERANCE = 1e-7 + 4 * 2 ** -24;
const ops = { exp, sigmoid, silu } as const;

/** @throws Error if a result is further from the cpu's than `TOLERANCE`, relatively. */
export function benchPointwise(runtime: Runtime, rounds: number): PointwiseRow[] {
  const values = new Float32Array(SIZE).map((_, i) => (16 * i) / SIZE - 8);
  const x: Tensor = fromData(values, [SIZE]);
  return (Object.keys(ops) as (keyof typeof ops)[]).map((name) => {
    const fast = () => {
      runtime.reset();
      return runPointwise(runtime, name, values);
    };
    const expected = ops[name](x).toTypedArray();
    const wrong = fast().findIndex((y, i) => Math.abs(y - expected[i]!) > TOLERANCE * Math.abs(expected[i]!));
    if (wrong >= 0) throw new Error(`${name}: expected ${expected[wrong]} at ${values[wrong]}, got ${fast()[wrong]}`);
    const times = medians({ cpu: () => ops[name](x), fast }, rounds);
    const rate = (ms: number) => SIZE / ms / 1e3;
    return { name, cpu: rate(times.cpu), fast: rate(times.fast) };
  });
}
