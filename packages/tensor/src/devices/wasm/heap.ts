// Who owns which bytes of the memory. What lives long (Variables, constants, tables) is allocated from the bottom and
// freed one by one; the arenas of programs, of which one runs at a time, share the top end.
import { MemoryError, OpError } from "../../errors.ts";

/** Every address is a multiple of a cache line. */
const LINE = 64;
/** Address 0 stays free, and so does the last page: kernels may read some bytes beyond what they use. */
const BASE = LINE;
const GUARD = 65536;
const up = (bytes: number) => Math.max(1, Math.ceil(bytes / LINE)) * LINE;

export class Heap {
  /** End of what may be used. */
  readonly #limit: number;
  /** Free pieces by address; no two touch. Arenas lie in the last one, which reaches up to the limit. */
  readonly #free: { at: number; bytes: number }[];
  readonly #taken = new Map<number, number>();
  readonly #arenas: number[] = [];

  /** @param bytes size of the memory */
  constructor(bytes: number) {
    this.#limit = Math.floor((bytes - GUARD) / LINE) * LINE;
    this.#free = [{ at: BASE, bytes: this.#limit - BASE }];
  }
  /** Bytes allocated, arenas not counted. */
  get used(): number {
    let used = 0;
    for (const bytes of this.#taken.values()) used += bytes;
    return used;
  }
  /** Most bytes that an arena may have now. */
  get available(): number {
    return this.#limit - this.#bottom();
  }
  /**
   * The byte address of a new piece, of any content, in the lowest gap that holds it.
   * @throws MemoryError if it would reach into the largest arena.
   */
  allocate(bytes: number): number {
    const size = up(bytes);
    const index = this.#free.findIndex((gap) => gap.bytes >= size);
    const gap = this.#free[index];
    if (!gap || gap.at + size > this.#arenaStart())
      throw new MemoryError("wasm memory", {
        needed: this.#bottom() + size,
        available: this.#arenaStart(),
        use: "Variables and constants",
        hint: "dispose of compiled functions, or make batches or the model smaller",
      });
    this.#taken.set(gap.at, size);
    const { at } = gap;
    gap.at += size;
    gap.bytes -= size;
    if (gap.bytes === 0) this.#free.splice(index, 1);
    return at;
  }
  /** Gives a piece back. @throws OpError if none is allocated at the address. */
  free(at: number): void {
    const bytes = this.#taken.get(at);
    if (bytes === undefined) throw new OpError("wasm memory", "the address of a piece in use", `${at}`);
    this.#taken.delete(at);
    const next = this.#free.findIndex((gap) => gap.at > at);
    const index = next < 0 ? this.#free.length : next;
    this.#free.splice(index, 0, { at, bytes });
    this.#join(index);
    this.#join(index - 1);
  }
  /**
   * The address of an arena: a program's memory while it runs, up to the end. All arenas overlap.
   * @throws MemoryError if it would reach down to what is allocated.
   */
  openArena(bytes: number): number {
    const at = this.#limit - up(bytes);
    if (up(bytes) > this.available)
      throw new MemoryError("wasm memory", {
        needed: bytes,
        available: this.available,
        use: "a program",
        hint: "make batches or pictures smaller, or dispose of compiled functions",
      });
    this.#arenas.push(up(bytes));
    return at;
  }
  /** Gives an arena of that many bytes back. */
  closeArena(bytes: number): void {
    const index = this.#arenas.indexOf(up(bytes));
    if (index < 0) throw new OpError("wasm memory", "the bytes of an open arena", `${bytes}`);
    this.#arenas.splice(index, 1);
  }
  /** Where nothing is allocated from there on. */
  #bottom(): number {
    const last = this.#free.at(-1);
    return last && last.at + last.bytes === this.#limit ? last.at : this.#limit;
  }
  #arenaStart(): number {
    return this.#limit - this.#arenas.reduce((most, bytes) => Math.max(most, bytes), 0);
  }
  /** Makes one of two gaps that touch. */
  #join(index: number): void {
    const [low, high] = [this.#free[index], this.#free[index + 1]];
    if (!low || !high || low.at + low.bytes !== high.at) return;
    low.bytes += high.bytes;
    this.#free.splice(index + 1, 1);
  }
}
