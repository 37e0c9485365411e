// Walking over part of a nest of loops in plain JavaScript.
import type { Loop } from "../plan/loops.ts";

/** How many turns the loops make in all. */
export const turnsOf = (loops: readonly Loop[]): number => loops.reduce((n, loop) => n * loop.n, 1);

/** At least `count` loops: those put in front make one turn. */
export function atLeast(loops: readonly Loop[], count: number): readonly Loop[] {
  const strides = loops[0]!.strides.map(() => 0);
  return [...Array.from({ length: Math.max(0, count - loops.length) }, () => ({ n: 1, strides })), ...loops];
}

/**
 * Calls `visit` for the turns [from, to) of the loops, the last one fastest, with how far each place has moved. `visit`
 * may not keep the array. Without loops there is one turn.
 */
export function eachTurn(
  loops: readonly Loop[],
  [from, to]: readonly [number, number],
  visit: (at: readonly number[], turn: number) => void,
): void {
  const index = loops.map(() => 0);
  const at = (loops[0]?.strides ?? []).map(() => 0);
  const move = (loop: number, turns: number) => {
    for (let p = 0; p < at.length; p++) at[p] = at[p]! + turns * loops[loop]!.strides[p]!;
  };
  for (let loop = loops.length - 1, rest = from; loop >= 0; loop--) {
    const { n } = loops[loop]!;
    index[loop] = rest % n;
    move(loop, rest % n);
    rest = Math.floor(rest / n);
  }
  for (let turn = from; turn < to; turn++) {
    visit(at, turn);
    for (let loop = loops.length - 1; loop >= 0; loop--) {
      index[loop] = index[loop]! + 1;
      move(loop, 1);
      if (index[loop]! < loops[loop]!.n) break;
      move(loop, -index[loop]!);
      index[loop] = 0;
    }
  }
}
