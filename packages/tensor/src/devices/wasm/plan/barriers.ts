// Which steps must wait until all threads have finished those before. Decided by the bytes that steps touch since the last
// barrier, never by the kind of step.

/** Byte addresses [start, end). */
export type Range = readonly [start: number, end: number];
/** What a step touches. */
export interface Access {
  readonly reads: readonly Range[];
  readonly writes: readonly Range[];
  /** Done by the first thread alone. */
  readonly serial: boolean;
}

/**
 * Whether a barrier comes before each step: if it reads what another thread may still be writing, or writes what another
 * may still be reading or writing. Serial steps follow each other in one thread, so they need none between them. Every
 * barrier comes as late as possible, which makes them as few as possible.
 */
export function barriersBefore(steps: readonly Access[]): boolean[] {
  // Since the last barrier: by steps that all threads share, and by steps of the first thread.
  let [shared, alone] = [new Touched(), new Touched()];
  return steps.map((step) => {
    const needed = shared.conflicts(step) || (!step.serial && alone.conflicts(step));
    if (needed) [shared, alone] = [new Touched(), new Touched()];
    (step.serial ? alone : shared).add(step);
    return needed;
  });
}

class Touched {
  readonly #reads = new RangeSet();
  readonly #writes = new RangeSet();

  add({ reads, writes }: Access): void {
    for (const range of reads) this.#reads.add(range);
    for (const range of writes) this.#writes.add(range);
  }
  conflicts({ reads, writes }: Access): boolean {
    return (
      reads.some((range) => this.#writes.overlaps(range)) ||
      writes.some((range) => this.#writes.overlaps(range) || this.#reads.overlaps(range))
    );
  }
}

/** A union of ranges, kept as ranges that neither overlap nor touch, by address. */
class RangeSet {
  readonly #ranges: [start: number, end: number][] = [];

  add([start, end]: Range): void {
    if (start >= end) return;
    const first = this.#firstEndingAfter(start - 1);
    let after = first;
    while (after < this.#ranges.length && this.#ranges[after]![0] <= end) after++;
    const merged = this.#ranges.slice(first, after);
    const low = Math.min(start, merged[0]?.[0] ?? start);
    const high = Math.max(end, merged.at(-1)?.[1] ?? end);
    this.#ranges.splice(first, after - first, [low, high]);
  }
  overlaps([start, end]: Range): boolean {
    const found = this.#ranges[this.#firstEndingAfter(start)];
    return start < end && found !== undefined && found[0] < end;
  }
  /** Index of the first range that ends after an address. */
  #firstEndingAfter(address: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]![1] > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
