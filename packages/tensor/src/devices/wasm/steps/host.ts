// A call of a TypeScript function on concrete data in the middle of a program. Only the first thread can make it.
import type { Machine } from "./machine.ts";

export interface HostStep {
  readonly op: "host";
  /** Which of the program's calls. */
  readonly call: number;
}

export function runHost({ call }: HostStep, { host }: Machine): void {
  host?.(call);
}
