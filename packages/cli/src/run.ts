// The command as a function: words in, exit code out. No process state but what Io hands in.

import { DeviceError, OpError } from "@orepa/tensor";
import { UserError } from "@orepa/yolo";
import type { Mode } from "./args.ts";
import { closeDevices } from "./devices.ts";
import { Failure } from "./failure.ts";
import { helpText } from "./help.ts";
import { type Io, line } from "./io.ts";
import { type ModeFunction, version } from "./mode.ts";
import { parseArguments } from "./parse-args.ts";

/** Exit codes: fine, a failure or a defect that is not the user's, a mistake of the user, stopped by Ctrl-C. */
export const EXIT = { ok: 0, defect: 1, user: 2, interrupted: 130 } as const;

/** Read when they are asked for. */
const modes: { readonly [M in Mode]: () => Promise<ModeFunction> } = {
  train: async () => (await import("./modes/train.ts")).train,
  val: async () => (await import("./modes/val.ts")).val,
  predict: async () => (await import("./modes/predict.ts")).predict,
  export: async () => (await import("./modes/export.ts")).exportWeights,
  info: async () => (await import("./modes/info.ts")).info,
  bench: async () => (await import("./modes/bench.ts")).bench,
  study: async () => (await import("./modes/study.ts")).study,
  doctor: async () => (await import("./modes/doctor.ts")).doctor,
};

/** Runs the command and returns its exit code. Mistakes of the user become one line on standard error. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    const request = parseArguments(argv);
    if (request.kind === "help") line(io, helpText(request.mode));
    else if (request.kind === "version") line(io, `orepa ${version}`);
    else {
      const mode = await modes[request.command.mode]();
      const { json, interrupted } = await mode(request.command, io);
      if (request.command.settings.json) line(io, JSON.stringify(json));
      if (interrupted) return EXIT.interrupted;
    }
    return EXIT.ok;
  } catch (error) {
    // An op that refuses its input says what it expected and what it got: enough for one line too.
    const isFailure = error instanceof Failure || error instanceof DeviceError;
    if (!(isFailure || error instanceof UserError || error instanceof OpError)) throw error;
    io.writeError(`error: ${error.message.replace(/\s*\n\s*/g, " ")}\n`);
    return isFailure ? EXIT.defect : EXIT.user;
  } finally {
    await closeDevices();
  }
}
