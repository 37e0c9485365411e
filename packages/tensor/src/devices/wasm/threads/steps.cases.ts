// For tests: a step function and a worker's program that show what threads do, and fail in every way.
import { isMainThread } from "node:worker_threads";
import type { Machine } from "../steps/machine.ts";
import type { Step } from "../steps/table.ts";
import { serve } from "./serve.ts";

export type TestStep = { readonly serial?: boolean; readonly thread?: number } & (
  | { readonly op: "mark" | "check"; readonly address: number; readonly turn: number }
  | { readonly op: "store"; readonly address: number; readonly values: readonly number[] }
  | { readonly op: "fused"; readonly kernel: string }
  | { readonly op: "host"; readonly call: number }
  | { readonly op: "throw" | "end" | "hang" }
);
/** Bytes between the places that threads mark. */
const APART = 64;

function runTestStep(step: TestStep, machine: Machine): void {
  const { thread, threads, integers, floats } = machine;
  if (step.thread !== undefined && step.thread !== thread) return;
  switch (step.op) {
    case "mark":
      integers[(step.address + thread * APART) / 4] = step.turn;
      return;
    case "check":
      for (let t = 0; t < threads; t++) {
        const turn = integers[(step.address + t * APART) / 4];
        if (turn !== step.turn) throw new Error(`thread ${t} is at turn ${turn}, not ${step.turn}`);
      }
      return;
    case "store":
      floats.set(step.values, step.address / 4 + thread * step.values.length);
      return;
    case "fused":
      integers[machine.args / 4] = thread + 1;
      machine.fused[step.kernel]!(machine.args);
      return;
    case "host":
      machine.host!(step.call);
      return;
    case "throw":
      throw new Error("the step is wrong");
    case "end":
      process.exit();
      break;
    case "hang":
      for (;;) if (threads < 0) return;
  }
}
export const testRun = runTestStep as unknown as (step: Step, machine: Machine) => void;
/** Test steps where a program wants real ones. */
export const testSteps = (steps: readonly TestStep[]): readonly Step[] => steps as unknown as readonly Step[];

if (!isMainThread) serve(testRun);
