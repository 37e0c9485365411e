// A terminal for tests that keeps what is written and can be told to press Ctrl-C.

import type { Io } from "./io.ts";

/** An Io with its text and a way to interrupt. */
export interface CapturedIo extends Io {
  readonly output: () => string;
  readonly errors: () => string;
  /** Presses Ctrl-C. */
  readonly interrupt: () => void;
  /** The codes that the program has asked to quit with. */
  readonly quits: readonly number[];
}

/** A terminal that keeps what is written to it. `watch` sees every text as it comes. */
export function captureIo(
  options: { cwd?: string; isTerminal?: boolean; watch?: (text: string, io: CapturedIo) => void } = {},
): CapturedIo {
  const { cwd = process.cwd(), isTerminal = false, watch } = options;
  let out = "";
  let err = "";
  const quits: number[] = [];
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
    quit: (code) => {
      quits.push(code);
    },
    now: () => performance.now(),
    output: () => out,
    errors: () => err,
    quits,
    interrupt: () => {
      for (const handler of handlers) handler();
    },
  };
  return io;
}
