// What a mode of the command is.

import { createRequire } from "node:module";
import os from "node:os";
import { createWasm, type DeviceName, type DeviceSpec, deviceNames } from "@orepa/tensor";
import { UserError } from "@orepa/yolo";
import { type Io, line } from "./io.ts";
import type { Command } from "./parse-args.ts";

/** What a mode returns: the object that `--json` prints, and whether the user stopped it. */
export interface Outcome {
  readonly json: object;
  readonly interrupted?: boolean;
}

/** A mode. Mistakes of the user are thrown as UserError. */
export type ModeFunction = (command: Command, io: Io) => Promise<Outcome>;

/** The version in package.json. */
export const version = (createRequire(import.meta.url)("../package.json") as { version: string }).version;

const FASTEST: DeviceName = "wasm";

/** Where a mode computes, as the user asked for it. */
export interface ChosenDevice {
  readonly name: DeviceName;
  readonly device: DeviceSpec;
  /** Threads at work. */
  readonly threads: number;
  /** Why it is not as asked for, if so. */
  readonly note?: string | undefined;
}
let wasm: ReturnType<typeof createWasm> | undefined;

/** The settings that say where a mode computes. */
export interface DeviceSettings {
  readonly device: string;
  readonly threads: number | null;
  readonly wide?: boolean;
}

/** The device that the settings say; `auto` is the fastest there is. Its memory is shared by all programs of the process. */
export function deviceOf({ device: asked, threads, wide = false }: DeviceSettings): ChosenDevice {
  const name = deviceNames.find((known) => known === (asked === "auto" ? FASTEST : asked));
  if (name === undefined)
    throw new UserError(`device: expected auto or one of ${deviceNames.join(", ")}, got "${asked}"`);
  if (name === "wasm") {
    if (wasm === undefined || (threads !== null && wasm.threads !== threads))
      wasm = createWasm({ ...(threads === null ? {} : { threads }), wide });
    return { name, device: wasm, threads: wasm.threads, note: wasm.note };
  }
  if (wide) throw new UserError(`wide: expected the device wasm, got ${name} (leave wide out)`);
  if (threads !== null && threads !== 1)
    throw new UserError(`threads: expected 1 on ${name}, got ${threads} (leave it out)`);
  return { name, device: name, threads: 1 };
}

/** Prints the version and device line. */
export function greet(io: Io, settings: DeviceSettings): void {
  const { name, threads, note } = deviceOf(settings);
  const machine = `${process.platform} ${process.arch}, ${os.cpus().length} cores`;
  const work = `${name}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  line(io, `orepa ${version}  Node ${process.version}  device ${work} (${machine})`);
  if (note !== undefined) line(io, `device ${name}: ${note}`);
}
