// PyTorch in a process of its own, which takes one step when it is told to.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { peersFolder } from "./load.ts";

/** Memory formats of PyTorch. */
export type Layout = "contiguous" | "channels_last";
interface StepAnswer {
  readonly ms: number;
  readonly loss: number;
}
export interface Torch {
  readonly version: string;
  step(layout: Layout): Promise<StepAnswer>;
  close(): void;
}

/**
 * glibc told never to give memory back and to keep nothing apart: fresh pages cost PyTorch more than its arithmetic here.
 * (mallopt(3): no mmap for large blocks; trim and grow by 4 GiB.)
 */
export const keptMemory = {
  MALLOC_MMAP_MAX_: "0",
  MALLOC_TRIM_THRESHOLD_: "4294967296",
  MALLOC_TOP_PAD_: "536870912",
} as const;

/** Starts Python. @throws Error if it ends by itself. */
export async function startTorch(
  python: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Torch> {
  const script = fileURLToPath(new URL("torch_step.py", peersFolder));
  const child = spawn(python, [script, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const ended = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) =>
      reject(new Error(`${python} torch_step.py: expected it to go on, got exit code ${code}`)),
    );
  });
  ended.catch(() => {}); // raced against below; after close() it means nothing
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => JSON.parse((await Promise.race([lines.next(), ended])).value as string);
  const { torch: version } = (await answer()) as { torch: string };
  return {
    version,
    step: async (layout) => {
      child.stdin.write(`run ${layout}\n`);
      return (await answer()) as StepAnswer;
    },
    close: () => child.stdin.end(),
  };
}
