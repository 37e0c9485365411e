// A terminal for tests that keeps what is written and can be told to press Ctrl-C.

import type { Io } from "./io.ts";

/** An Io with its text and a way to interrupt. */
export interface CapturedIo extends Io {
  readonly output: () => string;
  readonly errors: () => string;
  /** Presses Ctrl-C. */
  readonly interrupt: () => void;
  /** Whether the next Ctrl-C goes to the program; otherwise it ends the process. */
  readonly listening: () => boolean;
}

/** A terminal that keeps what is written to it. `watch` sees every text as it comes. */
export function captureIo(
  options: { cwd?: string; isTerminal?: boolean; watch?: (text: string, io: CapturedIo) => void } = {},
): CapturedIo {
  const { cwd = process.cwd(), isTerminal = false, watch } = options;
  let out = "";
  let err = "";
  const handlers = new Set<() => void>();
  const io: CapturedIo = {
    write: (text) => {
      out += text;
      watch?.(text, io);
    },
    writeError: (text) => {
      err += text;
    },
    isTerminal,
    columns: 120,
    cwd,
    onInterrupt: (handler) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    now: () => performance.now(),
    output: () => out,
    errors: () => err,
    listening: () => handlers.size > 0,
    interrupt: () => {
      const called = [...handlers];
      handlers.clear();
      for (const handler of called) handler();
    },
  };
  return io;
}
