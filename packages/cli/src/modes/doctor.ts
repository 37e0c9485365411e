// orepa doctor: which devices work on this machine, on what, and what the others lack.

import { type DeviceName, deviceNames, type GpuName, gpuStatus } from "@orepa/tensor";
import { line } from "../io.ts";
import { deviceOf, type ModeFunction, version } from "../mode.ts";

/** What is said of a device. */
interface Diagnosis {
  readonly works: boolean;
  /** What it runs on, or why it does not. */
  readonly about: string;
  /** What would make it work. */
  readonly fix?: string;
}

/** Prints a line per device, and below those that do not work how to mend it. */
export const doctor: ModeFunction = async (_, io) => {
  const auto = deviceOf({ device: "auto", threads: null }).name;
  const devices = new Map<string, Diagnosis>();
  for (const name of deviceNames) devices.set(name, await diagnose(name));
  line(io, `orepa ${version}  Node ${process.version}  ${process.platform} ${process.arch}`);
  const width = Math.max(...deviceNames.map((name) => name.length)) + 2;
  for (const [name, { works, about, fix }] of devices) {
    line(io, `${name.padEnd(width)}${works ? "works  " : "absent "} ${about}${name === auto ? " (device=auto)" : ""}`);
    if (fix !== undefined) line(io, `${" ".repeat(width + 8)}to have it: ${fix}`);
  }
  return { json: { version, node: process.version, auto, devices: Object.fromEntries(devices) } };
};

async function diagnose(name: DeviceName): Promise<Diagnosis> {
  if (name === "cpu") return { works: true, about: "the reference: plain loops, float64 or float32, one thread" };
  if (name !== "wasm") return diagnoseGpu(name);
  const { threads, note } = deviceOf({ device: "wasm", threads: null });
  return { works: true, about: `SIMD, ${threads} threads${note === undefined ? "" : `; ${note}`}` };
}
async function diagnoseGpu(name: GpuName): Promise<Diagnosis> {
  const { works, hardware, about, fix } = await gpuStatus(name);
  const software = works && !hardware ? "; no graphics card: for tests" : "";
  return { works, about: `${about}${software}`, ...(fix !== undefined && { fix }) };
}
