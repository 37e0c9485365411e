// How a program travels through the shared memory to the other threads: its steps as text, then the bytes of its kernels.
// A thread that waits by spinning never comes to see a message.
import type { Step } from "../steps/table.ts";

/** What a thread needs to walk a program. */
export interface ThreadProgram {
  readonly steps: readonly Step[];
  /** Whether all threads must have finished the steps before this one. */
  readonly barrierBefore: readonly boolean[];
  /** The module of the program's fused kernels; each takes the byte address of its arguments. */
  readonly kernels: Uint8Array;
}
/** JSON has no such numbers; they travel as text behind a mark. */
const MARK = "#";
const isPlain = (x: number) => Number.isFinite(x) && !Object.is(x, -0);
const hide = (_: string, x: unknown) =>
  typeof x === "number" && !isPlain(x) ? `${MARK}${Object.is(x, -0) ? "-0" : x}` : x;
const show = (_: string, x: unknown) => (typeof x === "string" && x.startsWith(MARK) ? Number(x.slice(1)) : x);

export const encodeSteps = ({ steps, barrierBefore }: ThreadProgram): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ steps, barrierBefore }, hide));

export function decodeSteps(text: Uint8Array): Omit<ThreadProgram, "kernels"> {
  const json = new TextDecoder().decode(text);
  // Most programs have no mark, and looking at every value takes far longer than reading it.
  return JSON.parse(json, json.includes(`"${MARK}`) ? show : undefined) as Omit<ThreadProgram, "kernels">; // by encodeSteps
}
