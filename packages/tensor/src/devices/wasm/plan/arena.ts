// The arena: every storage lives from its first to its last step; largest first, each at the lowest address that is
// free for all of its life. On whole training steps this comes within a percent of the bytes alive.
import type { Storage } from "./place.ts";

/** Sets the addresses, from `base` on. Returns the bytes the arena takes. */
export function planArena(storages: readonly Storage[], base: number): number {
  /** By address. */
  const placed: Storage[] = [];
  let top = base;
  for (const s of [...storages].sort((a, b) => b.bytes - a.bytes)) {
    let at = base;
    for (const r of placed) {
      if (r.first > s.last || s.first > r.last) continue;
      if (r.address - at >= s.bytes) break;
      at = Math.max(at, r.address + r.bytes);
    }
    s.address = at;
    let [low, end] = [0, placed.length];
    while (low < end) {
      const middle = (low + end) >> 1;
      if (placed[middle]!.address <= at) low = middle + 1;
      else end = middle;
    }
    placed.splice(low, 0, s);
    top = Math.max(top, at + s.bytes);
  }
  return top - base;
}
