// Timing in turns: every round runs each candidate once, so that a slow moment of the machine meets all of them.

/** Runs that are thrown away: the first compiles, in the second the engine catches up. */
const WARM = 2;

/** Median milliseconds of each candidate over `repeats` rounds. */
export async function inTurns<N extends string>(
  candidates: ReadonlyMap<N, () => Promise<unknown>>,
  { repeats, now, onRound }: { repeats: number; now: () => number; onRound: (done: number, total: number) => void },
): Promise<ReadonlyMap<N, number>> {
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
  return new Map([...times].map(([name, list]) => [name, median(list)]));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
