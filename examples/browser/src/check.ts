// Runs every case of every primitive on a device and on the reference, and tells what differs.
import { isSample, opCases } from "@orepa/autograd";
import { bind, cast, compile, type DeviceName, type ParamsOf, type PrimitiveName, type Tensor } from "@orepa/tensor";

/** Of the largest value; sines are as coarse on a gpu as WGSL and GLSL allow. */
const USUAL = 1e-5;
const coarse: Partial<Record<PrimitiveName, number>> = { sin: 2 ** -11, cos: 2 ** -11 };

const single = (t: Tensor): Tensor => (t.dtype === "float64" ? cast(t, "float32") : t);

export interface Checked {
  readonly passed: number;
  /** What differs, a line each. */
  readonly failures: readonly string[];
}

/** `onPart` is called with the part that is done, for the page to draw. */
export async function check(device: DeviceName, onPart: (part: number) => Promise<void>): Promise<Checked> {
  const names = Object.keys(opCases) as PrimitiveName[];
  const failures: string[] = [];
  let passed = 0;
  for (const [i, name] of names.entries()) {
    await onPart(i / names.length);
    if (name === "hostCall" || name === "cast") continue; // their parameters name float64
    for (const c of opCases[name]) {
      if (!isSample(c)) continue;
      const inputs = c.inputs.map(single);
      const run = (...x: Tensor[]) => {
        const results = bind(name, x, c.params as ParamsOf<typeof name>);
        return Object.fromEntries(results.map((y, k) => [k, y]));
      };
      const wanted = Object.values(run(...inputs));
      const found = await resultsOn(device, run, inputs);
      const off = found instanceof Error ? found.message : Math.max(...wanted.map((y, k) => deviation(found[k]!, y)));
      if (typeof off === "number" && off <= (coarse[name] ?? USUAL)) passed++;
      else failures.push(`${name}, ${c.about}: ${typeof off === "number" ? `off by ${off}` : off}`);
    }
  }
  return { passed, failures };
}

async function resultsOn(
  device: DeviceName,
  run: (...x: Tensor[]) => Readonly<Record<string, Tensor>>,
  inputs: readonly Tensor[],
): Promise<readonly Tensor[] | Error> {
  try {
    using program = compile(run, { device });
    return Object.values(await program(...inputs));
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The largest difference as part of the largest value, of finite values. */
function deviation(actual: Tensor, wanted: Tensor): number {
  const a = actual.toTypedArray();
  let [worst, largest] = [0, 0];
  for (const [i, value] of Array.from(wanted.toTypedArray()).entries()) {
    if (!Number.isFinite(value)) continue;
    const difference = Math.abs(a[i]! - value);
    worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
    largest = Math.max(largest, Math.abs(value));
  }
  return worst === 0 ? 0 : worst / largest;
}
