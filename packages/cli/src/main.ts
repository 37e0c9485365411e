#!/usr/bin/env node
// The program `orepa`: hands the process to `run` and takes its exit code.

import type { Io } from "./io.ts";
import { EXIT, run } from "./run.ts";

const { INIT_CWD } = process.env;

const io: Io = {
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  isTerminal: process.stdout.isTTY === true,
  columns: process.stdout.columns ?? 120,
  // pnpm --filter runs scripts in the package's folder; what the user wrote is relative to where it was typed.
  cwd: INIT_CWD ?? process.cwd(),
  onInterrupt: (handler) => {
    // Once removed, the system's own action is back, which works in the middle of a computation too.
    process.once("SIGINT", handler);
    return () => process.off("SIGINT", handler);
  },
  now: () => performance.now(),
};

// A reader that goes away (| head) is no defect.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  throw error;
});

process.exitCode = await run(process.argv.slice(2), io);
