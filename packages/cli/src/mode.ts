// What a mode of the command is.

import { createRequire } from "node:module";
import os from "node:os";
import { type DeviceName, deviceNames } from "@orepa/tensor";
import { UserError } from "@orepa/yolo";
import { type Io, line } from "./io.ts";
import type { Command } from "./parse-args.ts";

/** What a mode returns: the object that `--json` prints, and whether the user stopped it. */
interface Outcome {
  readonly json: object;
  readonly interrupted?: boolean;
}

/** A mode. Mistakes of the user are thrown as UserError. */
export type ModeFunction = (command: Command, io: Io) => Promise<Outcome>;

/** The version in package.json. */
export const version = (createRequire(import.meta.url)("../package.json") as { version: string }).version;

const FASTEST: DeviceName = "cpu";

/** The device that a name stands for; `auto` is the fastest there is. */
export function deviceOf(name: string): DeviceName {
  const device = deviceNames.find((known) => known === (name === "auto" ? FASTEST : name));
  if (device === undefined)
    throw new UserError(`device: expected auto or one of ${deviceNames.join(", ")}, got "${name}"`);
  return device;
}

/** The threads that a device computes on. */
export function threadsOf(device: DeviceName, asked: number | null): number {
  if (asked !== null && asked !== 1)
    throw new UserError(`threads: expected 1 on ${device}, got ${asked} (leave it out)`);
  return 1;
}

/** Prints the version and device line. */
export function greet(io: Io, device: string): void {
  const machine = `${process.platform} ${process.arch}, ${os.cpus().length} cores`;
  line(io, `orepa ${version}  Node ${process.version}  device ${deviceOf(device)} (${machine})`);
}
