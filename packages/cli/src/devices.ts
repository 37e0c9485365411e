// Which device a command computes on: the one named, or the fastest that answers. Programs of one process share it.

import { existsSync } from "node:fs";
import {
  createGpu,
  createWasm,
  type DeviceName,
  type DeviceSpec,
  deviceNames,
  type GpuName,
  gpuStatus,
} from "@orepa/tensor";
import { UserError } from "@orepa/yolo";

/** Where a mode computes. */
export interface ChosenDevice {
  readonly name: DeviceName;
  readonly device: DeviceSpec;
  /** Threads of this process at work. */
  readonly threads: number;
  /** `2 threads`, or the graphics card. */
  readonly about: string;
  /** Why it is not as asked for, or slower than it could be, if so. */
  readonly note?: string | undefined;
}

/** The settings that say where a mode computes. */
export interface DeviceSettings {
  readonly device: string;
  readonly threads: number | null;
  readonly wide?: boolean;
}

let wasm: ReturnType<typeof createWasm> | undefined;
const gpus = new Map<DeviceName, ReturnType<typeof createGpu>>();

/**
 * The device that the settings say, ready to compute. `auto` is a graphics card where there is one, otherwise wasm, and wasm where
 * threads or wide vectors are asked for: cards have neither.
 * @throws UserError if the settings contradict each other, OpError if the device is not to be had
 */
export async function chooseDevice({ device: asked, threads, wide = false }: DeviceSettings): Promise<ChosenDevice> {
  const name = deviceNames.find((known) => known === (asked === "auto" ? "wasm" : asked));
  if (name === undefined)
    throw new UserError(`device: expected auto or one of ${deviceNames.join(", ")}, got "${asked}"`);
  if (asked === "auto" && threads === null && !wide && (await hasCard())) return chooseGpu("gpu");
  if (name === "wasm") {
    if (wasm === undefined || (threads !== null && wasm.threads !== threads))
      wasm = createWasm({ ...(threads === null ? {} : { threads }), wide });
    return { name, device: wasm, threads: wasm.threads, about: countOf(wasm.threads), note: wasm.note };
  }
  if (wide) throw new UserError(`wide: expected the device wasm, got ${name} (leave wide out)`);
  if (threads !== null && threads !== 1)
    throw new UserError(`threads: expected 1 on ${name}, got ${threads} (leave it out)`);
  return name === "cpu" ? { name, device: name, threads: 1, about: countOf(1) } : chooseGpu(name);
}
const countOf = (threads: number): string => `${threads} ${threads === 1 ? "thread" : "threads"}`;

/** @throws OpError if it is not to be had */
async function chooseGpu(asked: GpuName): Promise<ChosenDevice> {
  const { hardware, about, mode } = await gpuStatus(asked);
  const name: GpuName = mode === undefined ? asked : `gpu:${mode}`;
  const device = gpus.get(name) ?? createGpu(name);
  gpus.set(name, device);
  await device.open();
  const note = hardware ? undefined : "no graphics card computes here: for tests; device=wasm is faster";
  return { name, device, threads: 1, about, note };
}

/** Linux lists cards as files. Where there is none no driver is asked: it would complain on the terminal. */
const CARDS = ["/dev/dri", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg"];

/** Whether a graphics card can compute. */
async function hasCard(): Promise<boolean> {
  if (process.platform === "linux" && !CARDS.some(existsSync)) return false;
  return (await gpuStatus("gpu")).works;
}

/** Gives back what gpu devices hold: the process could not end. They open again when they are chosen again. */
export async function closeDevices(): Promise<void> {
  for (const device of gpus.values()) await device.dispose();
}
