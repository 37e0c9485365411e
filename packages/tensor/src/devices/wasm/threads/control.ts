// The control block: words in the shared memory by which the threads meet, hand over commands and say that one failed.
// A waiting thread spins for a while, because sleep and wake cost 100 us or more, then sleeps.
import { WorkerError } from "../../../errors.ts";

/** Words per cache line of 64 bytes: words that different threads write lie on lines of their own. */
const LINE = 16;
const [GENERATION, COMMAND, ARRIVED, PHASE, PASSED, FAILED, GONE, FAILURE] = [0, 1, 2, 3, 4, 5, 6, 7].map(
  (line) => line * LINE,
) as [number, number, number, number, number, number, number, number];
const FAILURE_BYTES = 960;
/** From here on a line per thread, written by that thread alone. */
const THREADS = FAILURE + LINE + FAILURE_BYTES / 4;
/** What a thread's line holds: steps begun, the one at work, the last barrier it came to, commands left half done, whether it ended. */
const [BEATS, STEP, BARRIER, LEFT, ENDED] = [0, 1, 2, 3, 4];
/** Reads of a word before a thread goes to sleep: 20 to 50 us. */
const SPINS = 20_000;
const SLICE = 1000;
/** States of a failure: being written, readable. */
const [WRITING, READABLE] = [1, 2];

/** Thrown in a thread that leaves its work because another one failed. */
export class Left extends Error {}

/** A command is five whole numbers; addresses beyond 2 GiB come back as they went in. */
export type Command = readonly [kind: number, a: number, b: number, c: number, d: number];

/** What failed first, and where. */
interface Failure {
  readonly message: string;
  readonly thread: number;
  readonly step: number;
}

export interface ControlOptions {
  readonly thread: number;
  readonly threads: number;
  /** Milliseconds without a step or a barrier of any thread until the first one gives up the missing ones. */
  readonly patience: number;
}

/** One thread's end of the control block. */
export class Control {
  readonly #words: Int32Array;
  readonly #thread: number;
  readonly #threads: number;
  readonly #patience: number;
  readonly #own: number;
  #generation = 0;
  #recoveries = 0;

  /** Bytes of a control block; all zeros at first. */
  static bytes(threads: number): number {
    return 4 * (THREADS + threads * LINE);
  }
  constructor(memory: ArrayBuffer | SharedArrayBuffer, address: number, options: ControlOptions) {
    const { thread, threads, patience } = options;
    this.#words = new Int32Array(memory, address, Control.bytes(threads) / 4);
    this.#thread = thread;
    this.#threads = threads;
    this.#patience = patience;
    this.#own = THREADS + thread * LINE;
  }
  /** Hands a command to all other threads; they must have finished the one before. */
  post(command: Command): void {
    for (const [i, word] of command.entries()) this.#words[COMMAND + i] = word;
    Atomics.add(this.#words, GENERATION, 1);
    Atomics.notify(this.#words, GENERATION);
  }
  /** Waits, for as long as it takes, for the next command. */
  next(): Command {
    this.#wait(GENERATION, this.#generation);
    this.#generation++;
    const words = this.#words.subarray(COMMAND, COMMAND + 5);
    return [...words].map((word) => word >>> 0) as unknown as Command; // five words
  }
  /** Says that this thread begins a step. */
  beat(step: number): void {
    this.#words[this.#own + STEP] = step;
    Atomics.add(this.#words, this.#own + BEATS, 1);
  }
  /**
   * Returns when every thread has come here.
   * @throws Left if another thread failed; WorkerError in the first thread if one of the others ended, or they give no sign of life.
   */
  barrier(): void {
    if (this.#threads === 1) return;
    const words = this.#words;
    const phase = Atomics.load(words, PHASE);
    this.#leave();
    Atomics.store(words, this.#own + BARRIER, phase + 1);
    if (Atomics.add(words, ARRIVED, 1) === this.#threads - 1) {
      Atomics.store(words, ARRIVED, 0);
      Atomics.store(words, PASSED, phase + 1);
      Atomics.add(words, PHASE, 1);
      Atomics.notify(words, PHASE);
      return;
    }
    const isMissing = (t: number) => words[THREADS + t * LINE + BARRIER] !== ((phase + 1) | 0);
    this.#wait(PHASE, phase, isMissing);
    // Who wakes up late may find the failure of the next command, which it has yet to take.
    if (((Atomics.load(words, PASSED) - phase) | 0) <= 0) this.#leave();
  }
  /** Makes all threads leave at their next barrier, or now if they wait at one. The first failure counts. */
  fail(message: string): void {
    const words = this.#words;
    if (Atomics.compareExchange(words, FAILED, 0, WRITING) !== 0) return;
    const text = new TextEncoder().encode(message).subarray(0, FAILURE_BYTES);
    new Uint8Array(words.buffer, words.byteOffset + 4 * (FAILURE + LINE)).set(text);
    words[FAILURE] = text.length;
    words[FAILURE + 1] = this.#thread;
    words[FAILURE + 2] = words[this.#own + STEP]!;
    Atomics.store(words, FAILED, READABLE);
    Atomics.add(words, PHASE, 1);
    Atomics.notify(words, PHASE);
  }
  /** Says that this thread, which is not the first, has left a command that failed and is ready for the next. */
  left(): void {
    const words = this.#words;
    Atomics.add(words, this.#own + LEFT, 1);
    Atomics.add(words, GONE, 1);
    Atomics.notify(words, GONE);
  }
  /** Says that this thread, which is not the first, is about to end. The first one looks when it wakes up, or after a slice. */
  ended(): void {
    Atomics.store(this.#words, this.#own + ENDED, 1);
    for (const word of [PHASE, GONE]) Atomics.notify(this.#words, word);
  }
  /**
   * In the first thread, after a failure: waits until all others have left the command, then forgets the failure and says
   * what it was.
   * @throws WorkerError if one ended or gives no sign of life.
   */
  recover(): Failure {
    const words = this.#words;
    this.#recoveries++;
    const isMissing = (t: number) => t > 0 && words[THREADS + t * LINE + LEFT] !== this.#recoveries;
    for (;;) {
      const gone = Atomics.load(words, GONE);
      if (gone === this.#threads - 1) break;
      this.#wait(GONE, gone, isMissing);
    }
    const failure = this.#failure();
    Atomics.store(words, GONE, 0);
    Atomics.store(words, ARRIVED, 0);
    Atomics.store(words, FAILED, 0);
    return failure;
  }
  #failure(): Failure {
    const words = this.#words;
    const at = words.byteOffset + 4 * (FAILURE + LINE);
    // A copy: not every platform decodes shared memory.
    const text = new Uint8Array(words.buffer, at, words[FAILURE]).slice();
    return { message: new TextDecoder().decode(text), thread: words[FAILURE + 1]!, step: words[FAILURE + 2]! };
  }
  #leave(): void {
    if (Atomics.load(this.#words, FAILED) === READABLE) throw new Left();
  }
  /** Returns when the word is another than `old`. The first thread, which has others to wait for, gives up those that ended, and at last all. */
  #wait(word: number, old: number, isMissing: (thread: number) => boolean = () => false): void {
    const words = this.#words;
    for (let i = 0; i < SPINS; i++) if (Atomics.load(words, word) !== old) return;
    if (this.#thread > 0) {
      while (Atomics.load(words, word) === old) Atomics.wait(words, word, old);
      return;
    }
    const slice = Math.min(SLICE, this.#patience);
    // Slices are counted rather than read off a clock: a machine that was suspended has lost no time.
    for (let idle = 0, life = this.#life(); Atomics.load(words, word) === old; ) {
      const ended = this.#those((t) => isMissing(t) && words[THREADS + t * LINE + ENDED] === 1);
      if (ended.length > 0) throw this.#lost(ended, "it ended in the middle of a run");
      if (Atomics.wait(words, word, old, slice) !== "timed-out") continue;
      const now = this.#life();
      idle = now === life ? idle + slice : 0;
      life = now;
      if (idle >= this.#patience)
        throw this.#lost(this.#those(isMissing), "it was ended or hangs", ` for ${this.#patience / 1000} s`);
    }
  }
  #life(): number {
    let life = 0;
    for (let t = 0; t < this.#threads; t++) {
      const line = THREADS + t * LINE;
      life += Atomics.load(this.#words, line + BEATS) + Atomics.load(this.#words, line + BARRIER);
    }
    return life;
  }
  #those(is: (thread: number) => boolean): number[] {
    return Array.from({ length: this.#threads }, (_, t) => t).filter(is);
  }
  /** The error for threads that are waited for in vain; all others leave. */
  #lost(threads: readonly number[], reason: string, since = ""): WorkerError {
    const names = threads.map((t) => `${t} (step ${this.#words[THREADS + t * LINE + STEP]})`).join(", ");
    const error = new WorkerError(
      "wasm",
      "an answer from every worker thread",
      `none from thread ${names}${since}`,
      `${reason}; threads: 1 does without worker threads`,
    );
    this.fail(error.message);
    return error;
  }
}
