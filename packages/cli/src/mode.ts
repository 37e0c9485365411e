// What a mode of the command is.

import { createRequire } from "node:module";
import os from "node:os";
import { type ChosenDevice, chooseDevice, type DeviceSettings } from "./devices.ts";
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

/** The device that the settings say; prints the version and device line. */
export async function greet(io: Io, settings: DeviceSettings): Promise<ChosenDevice> {
  const chosen = await chooseDevice(settings);
  const { name, about, note } = chosen;
  const machine = `${process.platform} ${process.arch}, ${os.cpus().length} cores`;
  line(io, `orepa ${version}  Node ${process.version}  device ${name}, ${about} (${machine})`);
  if (note !== undefined) line(io, `device ${name}: ${note}`);
  return chosen;
}
