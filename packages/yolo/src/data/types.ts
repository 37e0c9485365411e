// The shapes of everything that the data folder hands out, and the two doors through which files and pictures come in.
import type { Placement } from "./letterbox.ts";

/** A picture: 8-bit RGB, row by row, three bytes a pixel (`data.length = 3 * width * height`). */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Decodes picture files; a platform provides it. */
export interface ImageCodec {
  /** The picture in a file's bytes, upright, without transparency. Throws an Error that says why when it cannot be decoded. */
  decode(bytes: Uint8Array): Promise<Image>;
}

/** Read access to files; a platform provides it. Paths are opaque strings that only `resolve` puts together. */
export interface FileSystem {
  readText(path: string): Promise<string>;
  readBytes(path: string): Promise<Uint8Array>;
  /** The absolute paths of all files below a folder, sub-folders included, in any order. */
  list(folder: string): Promise<string[]>;
  /** What lies at a path. */
  kind(path: string): Promise<"file" | "folder" | "missing">;
  /** An absolute path from parts, later absolute parts winning, as node's `path.resolve`. Separators in the result are `/` or `\`. */
  resolve(...parts: string[]): string;
}

/** A labelled box: class, then centre and size as fractions of the picture. */
export type Box = readonly [classIndex: number, cx: number, cy: number, w: number, h: number];

/** A picture and its boxes. */
export interface LabelledImage {
  readonly image: Image;
  readonly boxes: readonly Box[];
}

/** A `data.yaml`, read. `train`, `val` and `test` are what the file says, resolved to absolute paths; null where it says nothing. */
export interface DataConfig {
  /** The yaml file itself. */
  readonly file: string;
  readonly splits: { readonly [S in Split]: readonly string[] | null };
  /** Class names by index. */
  readonly names: readonly string[];
}

/** A part of a dataset. */
export type Split = "train" | "val" | "test";

/** Something wrong in a dataset that was left out: one clear line for the user, and where it stands. */
export interface Problem {
  readonly file: string;
  /** 1-based line of a label file; absent where the whole file is meant. */
  readonly line?: number;
  /** Without the file name, e.g. `class 7 is out of range 0..1`. */
  readonly message: string;
}

/** A picture of a dataset with its labels. */
export interface Sample {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
}

/** The usable pictures of one split, in file order, without the pictures themselves; plain data. */
export interface DatasetFacts {
  readonly split: Split;
  readonly samples: readonly Sample[];
  readonly names: readonly string[];
  /** What was left out and why; show each to the user. */
  readonly problems: readonly Problem[];
  /** How many pictures carry no label (they train as background). */
  readonly backgrounds: number;
}

/** The usable pictures of one split. */
export interface Dataset extends DatasetFacts {
  /** At least as many boxes as any picture has, where the samples make theirs when they are asked for. */
  readonly mostBoxes?: number;
  /** The decoded picture of `samples[index]`. */
  load(index: number): Promise<Image>;
  /** The same at another size, as `resizeBilinear` makes it; kept at that size where pictures are kept. */
  loadResized?(index: number, width: number, height: number): Promise<Image>;
}

/** What {@link Dataset} is read from. */
export interface LoadDatasetOptions {
  readonly config: DataConfig;
  readonly split: Split;
  readonly fs: FileSystem;
  readonly codec: ImageCodec;
  /** The part of the pictures to use, in file order (0..1, default 1). */
  readonly fraction?: number;
  /** Every class becomes class 0 (default false). */
  readonly singleClass?: boolean;
  /** Decoded pictures up to this many bytes in all stay in memory (default 512 MiB). */
  readonly cacheBytes?: number;
  /** Called after every picture, for progress. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The shapes of a batch. */
export type BatchShapes = Pick<Batch, "shape" | "targetShape">;

/** One batch: pictures in 0..1 as NCHW and padded targets. */
export interface Batch {
  /** `[B, 3, H, W]`. */
  readonly images: Float32Array;
  readonly shape: readonly [number, number, number, number];
  /** `[B, M, 5]`: class, cx, cy, w, h as fractions of the input; rows beyond an image's boxes are zero. */
  readonly targets: Float32Array;
  readonly targetShape: readonly [number, number, 5];
  /** Number of boxes in the batch. */
  readonly instances: number;
  /** Indices into `dataset.samples`. */
  readonly indices: readonly number[];
  /** Where each picture lies in its input, the way back for boxes; in training, where it lay before the changes by chance. */
  readonly placements: readonly Placement[];
}
