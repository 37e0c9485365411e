// An alternating timer: every round times each candidate once, so that a slow moment of the machine meets all of them.

/** Something to time; the same work at every call. */
export type Candidates<N extends string> = Readonly<Record<N, () => void>>;

/** A sample lasts at least this long: a short candidate is called several times. */
const LEAST_MS = 10;

/** Median milliseconds per call of each candidate over `rounds`, after one warm round that is thrown away. */
export function medians<N extends string>(candidates: Candidates<N>, rounds: number): Record<N, number> {
  const entries = Object.entries<() => void>(candidates).map(([name, run]) => ({ name, run, times: [] as number[] }));
  const calls = entries.map(({ run }) => {
    sample(run, 1);
    return Math.max(1, Math.ceil(LEAST_MS / sample(run, 1)));
  });
  for (let round = 0; round <= rounds; round++)
    for (const [i, { run, times }] of entries.entries()) {
      const time = sample(run, calls[i]!);
      if (round > 0) times.push(time);
    }
  return Object.fromEntries(entries.map(({ name, times }) => [name, median(times)])) as Record<N, number>; // same names
}

function sample(run: () => void, calls: number): number {
  const start = performance.now();
  for (let i = 0; i < calls; i++) run();
  return (performance.now() - start) / calls;
}

/** The middle value; of an even number of values the mean of the two in the middle. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1]!, sorted[sorted.length >> 1]!];
  return (low + high) / 2;
}
