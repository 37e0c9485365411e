// Scans one split of a dataset: finds the pictures, reads their labels, lists what is broken and leaves it out.
import { UserError } from "../errors.ts";
import { splitPaths } from "./data-yaml.ts";
import { parseLabels } from "./labels.ts";
import { findTruncation } from "./picture-check.ts";
import { resizeBilinear } from "./resize.ts";
import type { Box, Dataset, DatasetFacts, FileSystem, Image, LoadDatasetOptions, Problem, Sample } from "./types.ts";

const suffixes = /\.(bmp|dng|jpe?g|mpo|png|tiff?|webp|pfm)$/i;
/** Smaller pictures carry nothing to learn from. */
const minimumSide = 10;
/** Decoded pictures up to this many bytes in all stay in memory unless something else is said. */
export const pictureCacheBytes = 512 * 2 ** 20;

/**
 * The usable pictures of a split. A broken picture or label line becomes a {@link Problem} and is left out; a missing or empty label file
 * makes a background picture. Throws a UserError when nothing usable remains, and when a path of data.yaml does not exist.
 */
export async function loadDataset(options: LoadDatasetOptions): Promise<Dataset> {
  const { config, split, fs, codec, fraction = 1, singleClass = false, onProgress } = options;
  const files = await findPictures(splitPaths(config, split), { split, file: config.file, fs });
  const used = files.slice(0, Math.max(1, Math.round(files.length * fraction)));
  const problems: Problem[] = [];
  const samples: Sample[] = [];
  const pictures = pictureCache(options);
  let labelled = 0;
  for (const [i, file] of used.entries()) {
    const image = await readPicture(file, { fs, decode: (bytes) => codec.decode(bytes) });
    if (typeof image === "string") problems.push({ file, message: image });
    else {
      const label = labelFile(file);
      const hasLabels = (await fs.kind(label)) === "file";
      const parsed = parseLabels(hasLabels ? await fs.readText(label) : "", { classes: config.names.length });
      for (const problem of parsed.problems) problems.push({ file: label, ...problem });
      const boxes = singleClass ? parsed.boxes.map(([, ...sides]): Box => [0, ...sides]) : parsed.boxes;
      if (boxes.length > 0) labelled++;
      samples.push({ file, width: image.width, height: image.height, boxes });
      pictures.keep(file, image);
    }
    onProgress?.(i + 1, used.length);
  }
  refuseUnusable({ where: `${config.file}, ${split}`, samples, labelled, problems });
  const names = singleClass ? ["item"] : config.names;
  return { split, samples, names, problems, backgrounds: samples.length - labelled, ...loads(samples, pictures) };
}

/** A dataset that was scanned before, e.g. in another thread: everything but its pictures is known. */
export function reopenDataset(
  known: DatasetFacts,
  options: Pick<LoadDatasetOptions, "fs" | "codec" | "cacheBytes">,
): Dataset {
  return { ...known, ...loads(known.samples, pictureCache(options)) };
}

const loads = (samples: readonly Sample[], pictures: PictureCache): Pick<Dataset, "load" | "loadResized"> => ({
  load: (index) => pictures.load(samples[index]!.file),
  loadResized: (index, width, height) => pictures.loadResized(samples[index]!.file, width, height),
});

interface PictureCache {
  keep(file: string, image: Image): void;
  load(file: string): Promise<Image>;
  loadResized(file: string, width: number, height: number): Promise<Image>;
}

/** Decoded pictures by file; those that fit are kept. */
function pictureCache(options: Pick<LoadDatasetOptions, "fs" | "codec" | "cacheBytes">): PictureCache {
  const { fs, codec, cacheBytes = pictureCacheBytes } = options;
  const kept = new Map<string, Image>();
  let bytes = 0;
  const keep = (file: string, image: Image): void => {
    if (kept.has(file) || bytes + image.data.length > cacheBytes) return;
    kept.set(file, image);
    bytes += image.data.length;
  };
  const load = async (file: string): Promise<Image> => {
    const known = kept.get(file);
    if (known !== undefined) return known;
    const image = await readPicture(file, { fs, decode: (content) => codec.decode(content) });
    if (typeof image === "string")
      throw new UserError(`${file}: could be read when training began, but not now: ${image}`);
    keep(file, image);
    return image;
  };
  const loadResized = async (file: string, width: number, height: number): Promise<Image> => {
    const key = `${width}x${height} ${file}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const image = await load(file);
    const resized = resizeBilinear(image, width, height);
    // A smaller one takes the place of the picture, which a training asks for at one size alone.
    if (resized.data.length < image.data.length && kept.delete(file)) {
      bytes -= image.data.length;
      keep(key, resized);
    }
    return resized;
  };
  return { keep, load, loadResized };
}

/** Where the labels of a picture lie: the last `images` folder of its path becomes `labels`, the suffix `.txt`. */
export function labelFile(picture: string): string {
  const parts = picture.split(/([/\\])/);
  const at = parts.lastIndexOf("images");
  if (at >= 0) parts[at] = "labels";
  return parts.join("").replace(/\.[^./\\]*$/, ".txt");
}

/** All picture files that the paths of a split name, sorted. */
async function findPictures(
  paths: readonly string[],
  { split, file, fs }: { split: string; file: string; fs: FileSystem },
): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const kind = await fs.kind(path);
    if (kind === "missing") throw new UserError(`${file}: ${split} names ${path}, which does not exist`);
    if (kind === "folder") found.push(...(await fs.list(path)));
    else if (suffixes.test(path)) found.push(path);
    else {
      // A text file of paths: those that begin with ./ are relative to the text file, as are all that are not absolute.
      const lines = (await fs.readText(path)).split(/\r?\n/).map((line) => line.trim());
      found.push(...lines.filter((line) => line !== "").map((line) => fs.resolve(path, "..", line)));
    }
  }
  const pictures = [...new Set(found.filter((name) => suffixes.test(name)))].sort();
  if (pictures.length === 0) {
    throw new UserError(
      `${file}: expected pictures for ${split}, found none in ${paths.join(", ")} (bmp jpg png tif webp ...)`,
    );
  }
  return pictures;
}

/** The picture, or one line that says why it cannot be used. */
async function readPicture(
  file: string,
  { fs, decode }: { fs: FileSystem; decode: (bytes: Uint8Array) => Promise<Image> },
): Promise<Image | string> {
  if ((await fs.kind(file)) !== "file") return "there is no such file";
  const bytes = await fs.readBytes(file);
  const truncation = findTruncation(bytes);
  if (truncation !== null) return truncation;
  let image: Image;
  try {
    image = await decode(bytes);
  } catch (error) {
    return `cannot be decoded: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (image.width < minimumSide || image.height < minimumSide) {
    return `is too small: ${image.width}x${image.height}, expected at least ${minimumSide}x${minimumSide} pixels`;
  }
  return image;
}

/** A split without any usable picture, or whose labels are all broken, is a mistake to tell, not a training on nothing. */
function refuseUnusable(split: { where: string; samples: Sample[]; labelled: number; problems: Problem[] }): void {
  const { where, samples, labelled, problems } = split;
  const [first] = problems;
  if (samples.length === 0) {
    throw new UserError(
      `${where}: no usable pictures (${problems.length} broken); the first problem: ${describeProblem(first!)}`,
    );
  }
  const badLabel = problems.find(({ line }) => line !== undefined);
  if (labelled === 0 && badLabel !== undefined) {
    throw new UserError(`${where}: no usable labels; the first problem: ${describeProblem(badLabel)}`);
  }
}

/** A problem as one line: `labels/7.txt:3: cx is negative: -0.2`. */
export function describeProblem({ file, line, message }: Problem): string {
  return line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`;
}
