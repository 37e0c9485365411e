// orepa doctor: which devices work on this machine, on what, and what the others lack.

import { type DeviceName, deviceNames, gpuStatus } from "@orepa/tensor";
import { chooseDevice } from "../devices.ts";
import { line } from "../io.ts";
import { type ModeFunction, version } from "../mode.ts";

/** What is said of a device. */
interface Diagnosis {
  readonly works: boolean;
  /** What it runs on, or why it does not. */
  readonly about: string;
  /** What it is good for, if not for the usual work. */
  readonly advice?: string;
  /** What would make it work. */
  readonly fix?: string;
}

/** Prints a line per device, and below those that do not work how to mend it. */
export const doctor: ModeFunction = async (_, io) => {
  const auto = (await chooseDevice({ device: "auto", threads: null })).name;
  const devices = new Map<string, Diagnosis>();
  for (const name of deviceNames) devices.set(name, await diagnose(name));
  line(io, `orepa ${version}  Node ${process.version}  ${process.platform} ${process.arch}`);
  line(io, `without device= the commands compute on ${auto}`);
  line(io);
  const width = Math.max(...deviceNames.map((name) => name.length)) + 2;
  const indent = " ".repeat(width + 8);
  for (const [name, { works, about, advice, fix }] of devices) {
    line(io, `${name.padEnd(width)}${works ? "works  " : "absent "} ${about}`);
    if (advice !== undefined) line(io, `${indent}${advice}`);
    if (fix !== undefined) line(io, `${indent}to have it: ${fix}`);
  }
  return { json: { version, node: process.version, auto, devices: Object.fromEntries(devices) } };
};

async function diagnose(name: DeviceName): Promise<Diagnosis> {
  if (name === "cpu")
    return { works: true, about: "plain loops in float64 or float32, one thread", advice: "the reference, slow" };
  if (name === "wasm") {
    const { about, note } = await chooseDevice({ device: "wasm", threads: null });
    return { works: true, about: `SIMD, ${about}${note === undefined ? "" : `; ${note}`}` };
  }
  const { works, hardware, about, fix } = await gpuStatus(name);
  const advice = works && !hardware ? "no graphics card computes here: for tests; wasm is faster" : undefined;
  return { works, about, ...(advice !== undefined && { advice }), ...(fix !== undefined && { fix }) };
}
