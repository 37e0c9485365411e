// Opens the engine that a device's name asks for, or says why it cannot be had.
import { OpError } from "../../errors.ts";
import { Engine, type GpuMode } from "./engine.ts";
import { type GpuName, modeOf } from "./names.ts";
import { type Probe, probes } from "./probes.ts";

/** Back ends that may have hardware behind them, the best first. */
const HARDWARE: readonly GpuMode[] = ["webgpu", "webgl2"];

/**
 * What a gpu device would run on. `gpu` alone takes hardware only.
 * @returns `mode` where programs can run
 */
export async function gpuStatus(name: GpuName): Promise<Probe & { readonly mode?: GpuMode }> {
  const mode = modeOf(name);
  if (mode) {
    const probe = await probes[mode]();
    return { ...probe, ...(probe.works && { mode }) };
  }
  const reasons: string[] = [];
  let fix: string | undefined;
  for (const candidate of HARDWARE) {
    const probe = await probes[candidate]();
    if (probe.works && probe.hardware) return { ...probe, mode: candidate };
    reasons.push(`${candidate}: ${probe.works ? `software only, ${probe.about}` : probe.about}`);
    fix ??= probe.fix ?? `a graphics card and its driver; for tests gpu:${candidate} takes the software as well`;
  }
  return { works: false, hardware: false, about: reasons.join("; "), ...(fix !== undefined && { fix }) };
}

/** @throws OpError if the back end does not work here. */
export async function openEngine(name: GpuName, profile: boolean): Promise<Engine> {
  const { mode, hardware, about, fix } = await gpuStatus(name);
  if (!mode) throw new OpError(name, "a gpu to compute on", about, fix);
  return Engine.open(mode, { hardware, profile });
}
