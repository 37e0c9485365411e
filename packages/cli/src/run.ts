// The command as a function: words in, exit code out. No process state but what Io hands in.

import { DeviceError, OpError } from "@orepa/tensor";
import { UserError } from "@orepa/yolo";
import { closeDevices } from "./devices.ts";
import { Failure } from "./failure.ts";
import { helpText } from "./help.ts";
import { type Io, line } from "./io.ts";
import { version } from "./mode.ts";
import { bench } from "./modes/bench.ts";
import { doctor } from "./modes/doctor.ts";
import { exportWeights } from "./modes/export.ts";
import { info } from "./modes/info.ts";
import { predict } from "./modes/predict.ts";
import { study } from "./modes/study.ts";
import { train } from "./modes/train.ts";
import { val } from "./modes/val.ts";
import { parseArguments } from "./parse-args.ts";

/** Exit codes: fine, a failure or a defect that is not the user's, a mistake of the user, stopped by Ctrl-C. */
export const EXIT = { ok: 0, defect: 1, user: 2, interrupted: 130 } as const;

const modes = { train, val, predict, export: exportWeights, info, bench, study, doctor } as const;

/** Runs the command and returns its exit code. Mistakes of the user become one line on standard error. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    const request = parseArguments(argv);
    if (request.kind === "help") line(io, helpText(request.mode));
    else if (request.kind === "version") line(io, `orepa ${version}`);
    else {
      const { json, interrupted } = await modes[request.command.mode](request.command, io);
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
