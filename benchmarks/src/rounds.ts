// Contestants that take turns: every round runs each of them once, after a rest in which the threads of the one before fall
// asleep, so that a slow moment of the machine meets all of them.
import { setTimeout } from "node:timers/promises";

/** Runs once and returns the milliseconds it took. */
export type Contestant = () => Promise<number>;
export interface Timing {
  /** Milliseconds: the median, the shortest and the longest. */
  readonly ms: number;
  readonly fastest: number;
  readonly slowest: number;
}

const REST_MS = 60;
/** As many as the engine's optimizing compiler needs to take over every kernel of a step. */
const WARM_ROUNDS = 12;

/** A contestant in this process. */
export const timed =
  (run: () => unknown): Contestant =>
  async () => {
    const start = performance.now();
    await run();
    return performance.now() - start;
  };

/** Timings of each over `count` rounds, after warm rounds that are thrown away. */
export async function rounds<N extends string>(
  contestants: Readonly<Record<N, Contestant>>,
  count: number,
  warm: number = WARM_ROUNDS,
): Promise<Record<N, Timing>> {
  const entries = Object.entries<Contestant>(contestants).map(([name, run]) => ({ name, run, times: [] as number[] }));
  for (let round = 0; round < warm + count; round++)
    for (const { run, times } of entries) {
      await setTimeout(REST_MS);
      const ms = await run();
      if (round >= warm) times.push(ms);
    }
  return Object.fromEntries(entries.map(({ name, times }) => [name, timing(times)])) as Record<N, Timing>; // same names
}

function timing(times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  const ms = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
  return { ms, fastest: sorted[0]!, slowest: sorted.at(-1)! };
}
