// A worker thread of the feed: makes the batches that it is asked for, one after the other, and hands their memory over.

import { parentPort, workerData } from "node:worker_threads";
import { trainLoader, UserError } from "@orepa/yolo";
import type { FeedOrder, FeedReply, FeedRequest } from "./feed.ts";
import { openSource } from "./feed-source.ts";

const { source, options, workers } = workerData as FeedOrder;
const port = parentPort!;
const loader = trainLoader(openSource(source, workers), options);

async function answer(iteration: number): Promise<void> {
  try {
    const batch = await loader.batch(Math.floor(iteration / loader.batches), iteration % loader.batches);
    const reply: FeedReply = { iteration, batch };
    // Both arrays fill their buffers and were made here.
    port.postMessage(reply, [batch.images.buffer as ArrayBuffer, batch.targets.buffer as ArrayBuffer]);
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    port.postMessage({ iteration, failure: { message, stack, isUserError: error instanceof UserError } });
  }
}

let turn = Promise.resolve();
let isEnding = false;
port.on("message", (request: FeedRequest) => {
  if (request === "end") {
    isEnding = true;
    void turn.then(() => port.close());
  } else turn = turn.then(() => (isEnding ? undefined : answer(request.iteration)));
});
