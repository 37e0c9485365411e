// Worker threads run the compiled program, so these tests compile it first and then use what stands in dist.

import { execFile, spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readSafetensors } from "@orepa/autograd";
import {
  type Batch,
  type Dataset,
  defaultTrainArgs,
  loadDataset,
  readDataYaml,
  type TrainLoaderOptions,
} from "@orepa/yolo";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filesSource } from "./feed-source.ts";
import { nodeCodec } from "./node-codec.ts";
import { nodeFiles } from "./node-files.ts";
import { type TestFolder, testFolder, writeDigits } from "./testing-data.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));

let place: TestFolder;
let openFeed: typeof import("./feed.ts").openFeed;
beforeAll(async () => {
  const compiler = createRequire(import.meta.url).resolve("typescript/package.json");
  await promisify(execFile)(process.execPath, [path.join(compiler, "../bin/tsc"), "-b", root]);
  // A path that only exists after compiling.
  const compiled = new URL("../dist/feed.js", import.meta.url).href;
  ({ openFeed } = (await import(compiled)) as typeof import("./feed.ts"));
  place = await testFolder();
  await writeDigits(place, { scenes: 5 });
});
afterAll(() => place.remove());

const options: TrainLoaderOptions = {
  batch: 2,
  imgsz: 64,
  seed: 1,
  epochs: 2,
  augment: { ...defaultTrainArgs, close_mosaic: 1 },
};

async function scan(): Promise<Dataset> {
  const fs = nodeFiles(place.cwd);
  const config = await readDataYaml("data/data.yaml", fs);
  return loadDataset({ config, split: "train", fs, codec: nodeCodec });
}

async function feed(workers: number) {
  const dataset = await scan();
  return openFeed(dataset, { source: filesSource(dataset), options, workers });
}

/** Bytes as text: whole arrays compare at once. */
const text = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  Buffer.from(buffer, byteOffset, byteLength).toString("base64");
const readable = (batch: Batch) => ({ ...batch, images: text(batch.images), targets: text(batch.targets) });

describe("batches of worker threads", () => {
  test.each([1, 2, 3])("are those of the main thread, in order, with %i", async (workers) => {
    const plain = await feed(0);
    const threaded = await feed(workers);
    expect(threaded.batches).toBe(3);
    try {
      for (const epoch of [0, 1]) {
        for (const index of [0, 1, 2]) {
          expect(readable(await threaded.batch(epoch, index))).toEqual(readable(await plain.batch(epoch, index)));
        }
      }
    } finally {
      await threaded.close();
    }
  });

  test("can begin in the middle, as a resumed training does, and be asked out of order", async () => {
    const plain = await feed(0);
    const threaded = await feed(2);
    try {
      for (const [epoch, index] of [
        [1, 1],
        [0, 2],
        [1, 2],
        [1, 2],
      ] as const) {
        expect(readable(await threaded.batch(epoch, index))).toEqual(readable(await plain.batch(epoch, index)));
      }
    } finally {
      await threaded.close();
    }
  });

  test("end when asked to, also in the middle of their work", async () => {
    for (let i = 0; i < 5; i++) {
      const threaded = await feed(2);
      if (i > 0) await threaded.batch(0, 0);
      else void threaded.batch(0, 0);
      await threaded.close();
    }
  });

  test("a picture that has gone since the scan is the user's error, at its batch", async () => {
    const dataset = await scan();
    const gone = dataset.samples[3]!.file;
    const content = await readFile(gone);
    await rm(gone);
    const threaded = openFeed(dataset, { source: filesSource(dataset), options, workers: 2 });
    try {
      const all = [0, 1, 2].map((index) => threaded.batch(0, index));
      const failure = await Promise.all(all).catch((error: Error) => error);
      expect(failure).toMatchObject({
        name: "UserError",
        message: expect.stringContaining(`${gone}: could be read when`),
      });
      await Promise.allSettled(all);
    } finally {
      await threaded.close();
      await place.write(path.relative(place.cwd, gone), content);
    }
  });

  test("a thread that cannot start is said once, with the way out", async () => {
    const dataset = await scan();
    // No facts about the dataset: the thread fails before its first batch.
    const source = { kind: "files", facts: null as never } as const;
    const threaded = openFeed(dataset, { source, options, workers: 1 });
    try {
      await expect(threaded.batch(0, 0)).rejects.toThrow(
        /^workers: expected batches from 1 threads, got .*samples.* \(workers=0 /,
      );
      await expect(threaded.batch(0, 1)).rejects.toThrow(/^workers: /);
    } finally {
      await threaded.close();
    }
  });
});

describe("the compiled program", () => {
  const words = ["train", "model=tiny.yaml", "data=data/data.yaml", "imgsz=64", "batch=2"];

  /** Runs it to its end; `watch` may send signals. */
  function command(argv: string[], watch?: (output: string, kill: (signal: NodeJS.Signals) => void) => void) {
    const child = spawn(process.execPath, [program, ...argv], { env: { ...process.env, INIT_CWD: place.cwd } });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        watch?.(output, (signal) => child.kill(signal));
      });
    }
    return new Promise<{ code: number | null; output: string }>((resolve) => {
      child.on("close", (code) => resolve({ code, output }));
    });
  }

  test("trains to the same bytes with any number of workers and says how long it waited for data", async () => {
    const results: unknown[] = [];
    for (const workers of [0, 2]) {
      const { code, output } = await command([
        ...words,
        "epochs=2",
        "close_mosaic=1",
        "plots=false",
        `workers=${workers}`,
        `name=w${workers}`,
      ]);
      expect(output).toMatch(/^2 epochs completed in .*, data wait \d+\.\d % of the steps' time\.$/m);
      expect(code).toBe(0);
      const folder = path.join(place.cwd, `runs/detect/w${workers}`);
      const { tensors } = readSafetensors(await readFile(path.join(folder, "weights/last.safetensors")));
      const csv = await readFile(path.join(folder, "results.csv"), "utf8");
      results.push([csv, ...[...tensors].map(([key, tensor]) => [key, text(tensor.toTypedArray())])]);
    }
    expect(results[1]).toEqual(results[0]);
  });

  test("stops at Ctrl-C with its workers", async () => {
    let sent = false;
    const { code, output } = await command(
      [...words, "epochs=500", "val=false", "plots=false", "name=stopped"],
      (text, kill) => {
        if (sent || !/^ +2\/500 /m.test(text)) return;
        sent = true;
        kill("SIGINT");
      },
    );
    expect(output).toContain("Stopped. The state is saved in");
    expect(code).toBe(130);
  });
});
