// orepa study on the smallest sizes: rows of every method, what OREPA keeps, the report and its charts, refusals.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXIT, run } from "./run.ts";
import { type BlockRow, blockBytesKept } from "./study/block-study.ts";
import { type MethodName, methodNames } from "./study/methods.ts";
import type { ModelRow } from "./study/model-study.ts";
import { captureIo } from "./testing.ts";
import { type TestFolder, testFolder } from "./testing-data.ts";

let place: TestFolder;
beforeAll(async () => {
  place = await testFolder();
});
afterAll(() => place.remove());

const SMALL = ["model=tiny.yaml", "imgsz=32", "batch=2", "repeats=1"];

async function study(...words: string[]) {
  const io = captureIo({ cwd: place.cwd, isTerminal: true });
  const code = await run(["study", ...words], io);
  return { code, errors: io.errors(), lines: io.output().trimEnd().split("\n") };
}

test("every method has its rows: online OREPA keeps a plain block's bytes and one kernel, and deploys as plain", async () => {
  const { code, errors, lines } = await study(...SMALL, "sizes=8/12/2,16/6/2", "accuracy=false", "json");
  expect(code, errors).toBe(EXIT.ok);
  expect(lines.join("\n")).toMatch(/8 channels, 12 px, batch 2: .*3\/3/);
  const result = JSON.parse(lines.at(-1)!) as { blocks: BlockRow[]; yolo11n: ModelRow[]; report: string };
  expect(result.blocks.map(({ channels, method }) => `${channels} ${method}`)).toEqual(
    [8, 16].flatMap((channels) => methodNames.map((method) => `${channels} ${method}`)),
  );
  for (const channels of [8, 16]) {
    const rows = result.blocks.filter((row) => row.channels === channels);
    const kept = (method: MethodName) => rows.find((row) => row.method === method)!.bytes_kept;
    // A kernel, and nothing else but what belongs to single channels.
    const kernel = 4 * 9 * channels ** 2;
    expect(kept("orepa") - kept("plain")).toBeGreaterThanOrEqual(kernel);
    expect(kept("orepa") - kept("plain")).toBeLessThan(kernel + 4 * 64 * channels);
    if (channels === 8) expect(kept("orepa")).toBeLessThan(0.32 * kept("dbb"));
    expect(kept("orepa-offline")).toBeGreaterThan(kept("dbb"));
  }
  for (const row of [...result.blocks, ...result.yolo11n]) {
    expect(row.step_ms).toBeGreaterThan(0);
    expect(row.parameters).toBeGreaterThan(0);
  }
  expect(result.yolo11n.map(({ method }) => method)).toEqual(methodNames);
  expect(new Set(result.yolo11n.map((row) => row.deployed_parameters)).size).toBe(1);

  const report = await readFile(result.report, "utf8");
  for (const text of [
    "## One block",
    "8 ch, 12 px, batch 2",
    "OREPA offline",
    "## tiny, 32 px, batch 2",
    "study-kept.svg",
  ])
    expect(report).toContain(text);
  expect(report).not.toContain("## Accuracy");
  expect(await readFile(path.join(path.dirname(result.report), "study-kept.svg"), "utf8")).toMatch(/^<svg/);
});

test.each([
  { channels: 64, size: 56, batch: 32 },
  { channels: 128, size: 28, batch: 32 },
  { channels: 256, size: 14, batch: 32 },
])("at $channels/$size/$batch OREPA keeps one kernel more than a plain block, and 68 % less than DBB", (size) => {
  const kept = (method: MethodName) => blockBytesKept(method, size);
  const orepa = kept("orepa");
  expect(orepa - kept("plain")).toBe(4 * 9 * size.channels ** 2);
  expect(1 - orepa / kept("dbb")).toBeGreaterThanOrEqual(0.68);
  expect(1 - orepa / kept("orepa-offline")).toBeGreaterThanOrEqual(0.85);
});

test("trainings of several seeds: mean and spread", async () => {
  const words = ["sizes=0", "methods=plain,orepa", "seeds=2", "epochs=1", "fraction=0.01", "name=trained", "json"];
  const { code, errors, lines } = await study(...SMALL, ...words);
  expect(code, errors).toBe(EXIT.ok);
  const { accuracy, blocks, report } = JSON.parse(lines.at(-1)!);
  expect(blocks).toEqual([]);
  expect(accuracy.map(({ data, method, seed }: Record<string, unknown>) => `${data} ${method} ${seed}`)).toEqual([
    "digits plain 0",
    "digits orepa 0",
    "digits plain 1",
    "digits orepa 1",
  ]);
  const text = await readFile(report, "utf8");
  expect(text).toMatch(/\| OREPA \| 2 \| 0\.\d{3} ± 0\.\d{3} \|/);
  expect(text).toContain("study-map-digits.svg");
});

test("refuses methods and sizes that it does not know", async () => {
  for (const [word, text] of [
    ["methods=plain,acnet", 'methods: expected some of plain, dbb, repvgg, orepa, orepa-offline, got "acnet"'],
    ["sizes=64/56", 'sizes: expected channels/side/batch, got "64/56"'],
    ["seeds=0", "seeds: expected an integer of at least 1"],
    ["lr0=1", "lr0: expected an argument of study"],
  ] as const) {
    const { code, errors } = await study(...SMALL, word);
    expect(code).toBe(EXIT.user);
    expect(errors).toContain(text);
    expect(errors.trimEnd().split("\n")).toHaveLength(1);
  }
});
