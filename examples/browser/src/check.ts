// Runs every case of every primitive on a device and on the reference, and tells what differs.
import { isSample, opCases } from "@orepa/autograd";
import { bind, cast, compile, type DeviceName, type ParamsOf, type PrimitiveName, type Tensor } from "@orepa/tensor";

/** Of the largest value; sines are as coarse on a gpu as WGSL and GLSL allow. */
const USUAL = 1e-5;
const coarse: Partial<Record<PrimitiveName, number>> = { sin: 2 ** -11, cos: 2 ** -11 };

const single = (t: Tensor): Tensor => (t.dtype === "float64" ? cast(t, "float32") : t);

export async function check(device: DeviceName, log: (text: string) => void): Promise<void> {
  let [passed, failed] = [0, 0];
  for (const name of Object.keys(opCases) as PrimitiveName[]) {
    if (name === "hostCall" || name === "cast") continue; // their parameters name float64
    for (const c of opCases[name]) {
      if (!isSample(c)) continue;
      const inputs = c.inputs.map(single);
      const run = (...x: Tensor[]) => {
        const results = bind(name, x, c.params as ParamsOf<typeof name>);
        return Object.fromEntries(results.map((y, i) => [i, y]));
      };
      const wanted = Object.values(run(...inputs));
      let worst = 0;
      try {
        using program = compile(run, { device });
        const found = Object.values(await program(...inputs));
        worst = Math.max(...wanted.map((y, i) => deviation(found[i]!, y)));
      } catch (error) {
        log(`${name}, ${c.about}: ${error}`);
        worst = Number.POSITIVE_INFINITY;
      }
      if (worst <= (coarse[name] ?? USUAL)) passed++;
      else {
        failed++;
        log(`${name}, ${c.about}: off by ${worst}`);
      }
    }
  }
  log(`${passed} cases agree with the reference, ${failed} do not`);
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
