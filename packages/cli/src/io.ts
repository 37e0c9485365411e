// What the command needs from the terminal it runs in; tests pass their own.

/** The terminal, as seen by the modes. */
export interface Io {
  /** Writes to standard output as it is; `line` is the usual way. */
  readonly write: (text: string) => void;
  /** Writes to standard error as it is. */
  readonly writeError: (text: string) => void;
  /** Whether a line can be drawn over again. */
  readonly isTerminal: boolean;
  /** Characters in a line of the terminal. */
  readonly columns: number;
  /** The folder that the user's relative paths start from. */
  readonly cwd: string;
  /** Calls back at the next Ctrl-C, once; the one after it ends the process as usual. Returns how to call that off. */
  readonly onInterrupt: (handler: () => void) => () => void;
  /** Milliseconds since any moment. */
  readonly now: () => number;
}

/** One line on standard output. */
export const line = (io: Io, text = ""): void => io.write(`${text}\n`);

/** One line on standard error. */
export const warn = (io: Io, text: string): void => io.writeError(`warning: ${text}\n`);
