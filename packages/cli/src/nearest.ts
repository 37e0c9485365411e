// The nearest of some known names to a mistyped one.

/** The known name with the smallest edit distance, or null when none is near (more than half of the letters differ). */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const name of known) {
    const distance =
      name.startsWith(word) && word.length > 2 ? 1 : editDistance(word.toLowerCase(), name.toLowerCase());
    if (distance < least && distance < Math.max(word.length, name.length)) {
      best = name;
      least = distance;
    }
  }
  return best;
}

/** Insertions, removals and replacements that turn a into b (Levenshtein 1966). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
