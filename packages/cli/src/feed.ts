// Training batches made ahead of the step in worker threads, handed out in order. The bytes are those of the main thread's loader.

import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type Batch, type Dataset, type Loader, type TrainLoaderOptions, trainLoader, UserError } from "@orepa/yolo";
import { Failure } from "./failure.ts";
import type { FeedSource } from "./feed-source.ts";

/** What a worker begins with. */
export interface FeedOrder {
  readonly source: FeedSource;
  readonly options: TrainLoaderOptions;
  readonly workers: number;
}

/** Asks a worker for a batch, iterations counted over all epochs; or to end after the one at work. */
export type FeedRequest = { readonly iteration: number } | "end";

/** What comes back. */
export type FeedReply =
  | { readonly iteration: number; readonly batch: Batch }
  | {
      readonly iteration: number;
      readonly failure: {
        readonly message: string;
        readonly stack: string | undefined;
        readonly isUserError: boolean;
      };
    };

/** A loader whose threads must be ended. */
export interface Feed extends Loader {
  close(): Promise<void>;
}

/** Batches that each worker has been asked for at a time. */
const BATCHES_AHEAD = 2;

/** Milliseconds that a worker has to end by itself. */
const END_PATIENCE = 5000;

/** Worker threads run the compiled program; from the TypeScript sources, as in tests, batches are made in the main thread. */
const isCompiled = import.meta.url.endsWith(".js");

/** Starts the workers; with none, every batch is made when it is asked for. */
export function openFeed(
  dataset: Dataset,
  { source, options, workers }: { source: FeedSource; options: TrainLoaderOptions; workers: number },
): Feed {
  const plain = trainLoader(dataset, options);
  if (workers === 0 || !isCompiled) return { ...plain, close: async () => undefined };
  return threadedFeed({ source, options, workers }, plain.batches);
}

/** Where a batch that was asked for arrives. */
interface Waiting {
  readonly batch: Promise<Batch>;
  readonly resolve: (batch: Batch) => void;
  readonly reject: (error: Error) => void;
}

function threadedFeed(order: FeedOrder, batches: number): Feed {
  const waiting = new Map<number, Waiting>();
  let broken: Error | null = null;
  let isClosing = false;
  const breakDown = (reason: string): void => {
    if (isClosing) return;
    broken ??= new Failure(
      `workers: expected batches from ${order.workers} threads, got ${reason} (workers=0 does without threads)`,
    );
    for (const { reject } of waiting.values()) reject(broken);
  };
  const receive = (reply: FeedReply): void => {
    // Nobody waits any more for a batch that was given up when another thread failed.
    const asked = waiting.get(reply.iteration);
    if ("batch" in reply) asked?.resolve(reply.batch);
    else asked?.reject(revive(reply.failure));
  };
  const workers = Array.from({ length: order.workers }, () => {
    // Options of the process such as import conditions are not for the compiled worker.
    const worker = new Worker(new URL("./feed-worker.js", import.meta.url), { workerData: order, execArgv: [] });
    worker.on("message", receive);
    worker.on("error", (error) => breakDown(error instanceof Error ? error.message : String(error)));
    const ended = new Promise<void>((resolve) => {
      worker.on("exit", (code) => {
        breakDown(`a thread that ended with code ${code}`);
        resolve();
      });
    });
    return { worker, ended };
  });
  const ask = (iteration: number): Waiting => {
    const known = waiting.get(iteration);
    if (known !== undefined) return known;
    const made = createWaiting();
    waiting.set(iteration, made);
    if (broken !== null) made.reject(broken);
    else workers[iteration % workers.length]!.worker.postMessage({ iteration } satisfies FeedRequest);
    return made;
  };
  const end = order.options.epochs * batches;
  const batch = async (epoch: number, index: number): Promise<Batch> => {
    const iteration = epoch * batches + index;
    const last = Math.min(iteration + workers.length * BATCHES_AHEAD, end - 1);
    const wanted = ask(iteration);
    for (let next = iteration + 1; next <= last; next++) ask(next);
    try {
      return await wanted.batch;
    } finally {
      waiting.delete(iteration);
    }
  };
  const close = async (): Promise<void> => {
    isClosing = true;
    // The decoder complains on the console when its thread is ended in the middle of a picture.
    for (const { worker } of workers) worker.postMessage("end" satisfies FeedRequest);
    await Promise.race([
      Promise.all(workers.map(({ ended }) => ended)),
      setTimeout(END_PATIENCE, null, { ref: false }),
    ]);
    await Promise.all(workers.map(({ worker }) => worker.terminate()));
  };
  return { batches, batch, close };
}

function createWaiting(): Waiting {
  let resolve!: Waiting["resolve"];
  let reject!: Waiting["reject"];
  const batch = new Promise<Batch>((onBatch, onError) => {
    resolve = onBatch;
    reject = onError;
  });
  // A batch ahead may fail before anyone waits for it; whoever asks for it still learns so.
  batch.catch(() => undefined);
  return { batch, resolve, reject };
}

/** The error that was thrown in the thread. */
function revive({ message, stack, isUserError }: Extract<FeedReply, { failure: unknown }>["failure"]): Error {
  if (isUserError) return new UserError(message);
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
