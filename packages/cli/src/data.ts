// Opens the data that the user means: a data.yaml, or the embedded digits.

import { type Dataset, describeProblem, loadDataset, readDataYaml, type Split, UserError } from "@orepa/yolo";
import type { Settings } from "./args.ts";
import { DIGIT_NAMES, digitsDataset } from "./digits.ts";
import { type FeedSource, filesSource } from "./feed-source.ts";
import { type Io, line, warn } from "./io.ts";
import { nodeCodec } from "./node-codec.ts";
import { nodeFiles } from "./node-files.ts";
import { progressLine } from "./progress.ts";

/** The value of data= that means the embedded digits; also what is taken without data=. */
const DIGITS = "digits";
/** Scenes of each split of the digits. */
const DIGIT_SCENES = { train: 1024, val: 128 } as const;
/** Problems listed one by one; the rest is counted. */
const LISTED_PROBLEMS = 50;

/** Whether data= names the digits. */
export const isDigits = (data: string | null): boolean => data === null || data === DIGITS;

/**
 * What training on digits takes instead of the general defaults: pictures of which a digit covers at least four by four cells
 * of stride 8 (at 64 px the boxes stay coarse), no mirrored or moved digits, and a rate and a step for every batch that suit some
 * 600 steps (optimizer=auto would take AdamW at a fifth of the rate, after a warm-up of 100).
 */
export const DIGIT_DEFAULTS: Partial<Settings> = {
  imgsz: 128,
  epochs: 10,
  fliplr: 0,
  mosaic: 0,
  translate: 0,
  scale: 0,
  nbs: 16,
  optimizer: "AdamW",
  lr0: 0.004,
  cos_lr: true,
  warmup_epochs: 0,
  // Nothing is read or decoded.
  workers: 0,
};

/** How to open data. */
export interface OpenOptions {
  readonly data: string | null;
  readonly imgsz: number;
  readonly seed: number;
  readonly fraction: number;
  readonly singleClass: boolean;
  /** Threads that prepare training pictures; these keep decoded ones themselves. */
  readonly workers: number;
}

/** Reads one split and tells what was found and what was left out. */
export async function openSplit(split: "train" | "val", options: OpenOptions, io: Io): Promise<Dataset> {
  const { data, imgsz, seed, fraction, singleClass, workers } = options;
  if (isDigits(data)) {
    const scenes = Math.max(1, Math.round(DIGIT_SCENES[split] * fraction));
    const dataset = digitsDataset({ split, scenes, side: imgsz, seed });
    line(io, `${split}: ${scenes} embedded scenes of handwritten digits, ${imgsz} px, seed ${seed}`);
    return dataset;
  }
  const fs = nodeFiles(io.cwd);
  const config = await readDataYaml(data!, fs);
  const progress = progressLine(io);
  const dataset = await loadDataset({
    config,
    split: split satisfies Split,
    fs,
    codec: nodeCodec,
    fraction: split === "train" ? fraction : 1,
    singleClass,
    ...(split === "train" && workers > 0 ? { cacheBytes: 0 } : {}),
    onProgress: (done, total) => progress.update(`${split}: scanning ${config.file}`, done, total),
  });
  const { samples, backgrounds, problems } = dataset;
  progress.finish(
    `${split}: ${config.file}: ${samples.length} pictures, ${backgrounds} backgrounds, ${problems.length} problems left out`,
  );
  for (const problem of problems.slice(0, LISTED_PROBLEMS)) warn(io, `${describeProblem(problem)} (left out)`);
  if (problems.length > LISTED_PROBLEMS) warn(io, `... and ${problems.length - LISTED_PROBLEMS} problems more`);
  return dataset;
}

/** What worker threads open a training split again from. */
export function feedSource(
  dataset: Dataset,
  { data, imgsz, seed }: Pick<OpenOptions, "data" | "imgsz" | "seed">,
): FeedSource {
  if (!isDigits(data)) return filesSource(dataset);
  const { split, samples } = dataset;
  return {
    kind: "digits",
    options: { split: split === "train" ? "train" : "val", scenes: samples.length, side: imgsz, seed },
  };
}

/** Whether data= has validation pictures. */
export async function hasValidation(data: string | null, io: Io): Promise<boolean> {
  return isDigits(data) || (await readDataYaml(data!, nodeFiles(io.cwd))).splits.val !== null;
}

/** The class names of data=. */
export async function classNames(data: string | null, singleClass: boolean, io: Io): Promise<readonly string[]> {
  if (isDigits(data)) return DIGIT_NAMES;
  const { names } = await readDataYaml(data!, nodeFiles(io.cwd));
  return singleClass ? ["item"] : names;
}

/** Throws a UserError unless weights and data have the same number of classes. */
export function checkClasses(
  weights: { file: string; names: readonly string[] },
  data: { label: string; names: readonly string[] },
): void {
  if (weights.names.length === data.names.length) return;
  throw new UserError(
    `data: expected ${weights.names.length} classes as in ${weights.file}, got ${data.names.length} in ${data.label} (use the data it was trained on)`,
  );
}
