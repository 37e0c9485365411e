// The wasm device on one and on two threads, for tests: results must agree to the last bit, and lie as close to float64 as the
// reference's own float32 does.
import { cast, compile, createWasm, type DeviceSpec, type Tensor } from "@orepa/tensor";
import { expect, inject } from "vitest";

/** The devices on which float32 is tested. */
export const wasmDevices = [
  { name: "wasm, 1 thread", device: createWasm({ threads: 1 }) },
  { name: "wasm, 2 threads", device: createWasm({ threads: 2, worker: new URL(inject("worker")) }) },
] as const;

export const toSingle = (t: Tensor): Tensor => (t.dtype === "float64" ? cast(t, "float32") : t);

type Float = "float32" | "float64";

/** Computes results by name: in programs compiled for the device, without one eagerly on the reference. */
export type Computation = (dtype: Float, device?: DeviceSpec) => Promise<ReadonlyMap<string, Tensor>>;

/** What a subject under test computes in one program, by name; each call makes one of its own, so that runs do not see each other's statistics. */
export type Subject = (dtype: Float) => {
  readonly inputs: readonly Tensor[];
  readonly run: (...inputs: Tensor[]) => Readonly<Record<string, Tensor>>;
  /** What the run has left in Variables. */
  readonly after?: () => Promise<ReadonlyMap<string, Tensor>>;
};

const computationOf =
  (subject: Subject): Computation =>
  async (dtype, device) => {
    const { inputs, run, after } = subject(dtype);
    const results = new Map(
      Object.entries(device === undefined ? run(...inputs) : await runCompiled(run, inputs, device)),
    );
    for (const [key, value] of (await after?.()) ?? []) results.set(key, value);
    return results;
  };

async function runCompiled(run: ReturnType<Subject>["run"], inputs: readonly Tensor[], device: DeviceSpec) {
  using program = compile(run, { device });
  return await program(...inputs);
}

/** Runs a subject compiled on wasm with one and with two threads; both must agree to the last bit. */
export const runOnWasm = (subject: Subject): Promise<ReadonlyMap<string, Tensor>> =>
  computeOnWasm(computationOf(subject));

/** `runOnWasm` of a computation of any number of programs. */
export async function computeOnWasm(compute: Computation): Promise<ReadonlyMap<string, Tensor>> {
  const [serial, parallel] = await Promise.all(wasmDevices.map(({ device }) => compute("float32", device)));
  for (const [key, value] of serial!) expectSame(key, parallel!.get(key)!, value);
  return serial!;
}

interface ParityOptions {
  /**
   * Results of the same scale are sums of the same terms, of which one may all but cancel (the gradient of a bias in front of a norm
   * does): rounding is relative to the largest of them. Default: each has its own.
   */
  readonly scale?: (key: string) => string;
}

/**
 * Runs a subject in float64 and in float32 on the reference, then in float32 on wasm, which may differ from float64 ten times as
 * much as the reference's own rounding does: sums in another order have another rounding error of the same size.
 */
export const expectParity = (subject: Subject, options?: ParityOptions): Promise<void> =>
  expectSameComputation(computationOf(subject), options);

/** `expectParity` of a computation of any number of programs. */
export async function expectSameComputation(
  compute: Computation,
  { scale = (key) => key }: ParityOptions = {},
): Promise<void> {
  const [exact, rounded] = [await compute("float64"), await compute("float32")];
  const found = await computeOnWasm(compute);
  expect([...found.keys()]).toEqual([...exact.keys()]);
  const magnitudes = new Map<string, number>();
  for (const [key, value] of exact)
    magnitudes.set(scale(key), Math.max(magnitudes.get(scale(key)) ?? 0, largest(value)));
  for (const [key, value] of exact) {
    const magnitude = magnitudes.get(scale(key))!;
    expectWithinRounding(key, found.get(key)!, { exact: value, rounded: rounded.get(key)!, magnitude });
  }
}

/** Units in the last place of the largest value that a result may be off even where the reference's rounding happens to vanish. */
const SLACK = 16 * 2 ** -24;

interface Expected {
  readonly exact: Tensor;
  readonly rounded: Tensor;
  readonly magnitude: number;
}

function expectWithinRounding(what: string, actual: Tensor, { exact, rounded, magnitude }: Expected): void {
  expect({ what, shape: actual.shape }).toEqual({ what, shape: exact.shape });
  const [a, e, r] = [actual, exact, rounded].map((t) => t.toTypedArray()) as [Float32Array, Float64Array, Float32Array];
  const deviation = e.reduce((most, value, i) => Math.max(most, Math.abs(value - r[i]!)), 0);
  const tolerance = 10 * deviation + SLACK * magnitude;
  for (const [i, value] of e.entries())
    if (!(Math.abs(value - a[i]!) <= tolerance))
      throw new Error(`${what}: element ${i}: expected ${value}, got ${a[i]}, tolerance ${tolerance}`);
}

const largest = (t: Tensor): number =>
  Array.from(t.toTypedArray()).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** @throws Error unless both hold the same bits. */
export function expectSame(what: string, actual: Tensor, expected: Tensor): void {
  const bytes = (t: Tensor) => {
    const { buffer, byteOffset, byteLength } = t.toTypedArray();
    return Buffer.from(buffer, byteOffset, byteLength);
  };
  if (Buffer.compare(bytes(actual), bytes(expected)) !== 0) throw new Error(`${what}: expected the same bits`);
}
