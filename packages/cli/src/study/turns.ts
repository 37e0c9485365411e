// Timing in turns: every round runs each candidate once, so that a slow moment of the machine meets all of them.

/** Runs that are thrown away: the first compiles, in the second the engine catches up. */
const WARM = 2;

/** Milliseconds over the rounds: the middle, and between which half of them lie. */
export interface Times {
  readonly median: number;
  readonly quartiles: readonly [low: number, high: number];
}

/** The times of each candidate over `repeats` rounds. */
export async function inTurns<N extends string>(
  candidates: ReadonlyMap<N, () => Promise<unknown>>,
  { repeats, now, onRound }: { repeats: number; now: () => number; onRound: (done: number, total: number) => void },
): Promise<ReadonlyMap<N, Times>> {
  const times = new Map<N, number[]>([...candidates.keys()].map((name) => [name, []]));
  const total = WARM + repeats;
  for (let round = 0; round < total; round++) {
    for (const [name, run] of candidates) {
      const start = now();
      await run();
      if (round >= WARM) times.get(name)!.push(now() - start);
    }
    onRound(round + 1, total);
  }
  return new Map([...times].map(([name, list]) => [name, timesOf(list)]));
}

function timesOf(values: readonly number[]): Times {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)] };
}

/** Between two values a weighted mean of them. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const [before, after] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return before + (at - Math.floor(at)) * (after - before);
}
