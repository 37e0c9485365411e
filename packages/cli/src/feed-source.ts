// What a dataset is opened again from in a worker thread: plain data that can be sent there.

import { type Dataset, type DatasetFacts, pictureCacheBytes, reopenDataset } from "@orepa/yolo";
import { type DigitsOptions, digitsDataset } from "./digits.ts";
import { nodeCodec } from "./node-codec.ts";
import { nodeFiles } from "./node-files.ts";

/** Digits are composed anew; of files everything but the pictures is sent. */
export type FeedSource =
  | { readonly kind: "digits"; readonly options: DigitsOptions }
  | { readonly kind: "files"; readonly facts: DatasetFacts };

/** The source of a dataset of files. */
export function filesSource({ split, samples, names, problems, backgrounds }: Dataset): FeedSource {
  return { kind: "files", facts: { split, samples, names, problems, backgrounds } };
}

/** Opens the dataset in one of `share` threads, which divide the memory for decoded pictures among them. */
export function openSource(source: FeedSource, share: number): Dataset {
  if (source.kind === "digits") return digitsDataset(source.options);
  const cacheBytes = Math.floor(pictureCacheBytes / share);
  // The paths of a scanned dataset are absolute.
  return reopenDataset(source.facts, { fs: nodeFiles("/"), codec: nodeCodec, cacheBytes });
}
