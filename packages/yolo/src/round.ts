// Rounding as the reference's counts need it.

/** Rounds halves to the even neighbour, as the reference's batch counts do: 2.5 batches are 2, 3.5 are 4. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
