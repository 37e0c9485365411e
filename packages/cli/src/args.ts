// The one table of arguments: defaults, types, ranges, help text and args.yaml all follow from it.
// Defaults are those that users of Ultralytics 8.3.0 know; what differs says so in its help text.

import { deviceNames } from "@orepa/tensor";
import { reparams } from "./reparam.ts";

/** What the command can be asked to do. */
export const MODES = ["train", "val", "predict", "export", "info", "bench", "study", "doctor"] as const;
export type Mode = (typeof MODES)[number];

/** Kinds of values: how the text after `=` is read. `list` is comma separated, in brackets or not. */
type Kind = "integer" | "fraction" | "number" | "boolean" | "text" | "integers";

/** One argument. `null` as default means "not set". */
export interface Argument {
  readonly kind: Kind;
  readonly default: number | boolean | string | null;
  /** Modes that use it; giving it to another mode is an error rather than ignored. */
  readonly modes: readonly Mode[];
  readonly help: string;
  readonly minimum?: number;
  readonly choices?: readonly string[];
}

/** Modes about a model. */
const all = MODES.filter((mode) => mode !== "doctor");
const train = ["train"] as const;
const val = ["train", "val"] as const;
const predict = ["predict"] as const;
const runs = ["train", "val", "predict"] as const;
const folders = [...runs, "study"] as const;
const computing = ["train", "val", "predict", "bench", "study"] as const;
const batched = ["train", "val", "bench", "study"] as const;
const described = ["train", "val", "predict", "info"] as const;
const timed = ["bench", "study"] as const;
const study = ["study"] as const;
const trained = ["train", "study"] as const;
const built = ["train", "info", "bench"] as const;

const augment = (value: number, help: string) => ({ kind: "fraction", default: value, modes: train, help }) as const;

export const ARGUMENTS = {
  // what and where
  model: {
    kind: "text",
    default: null,
    modes: all,
    help: "yolo11{n,s,m,l,x}.yaml, yolo11{n,s,m,l,x}-OREPA.yaml, a model .yaml of yours, or trained .safetensors weights; without it yolo11n-OREPA.yaml is trained, and val and predict ask for weights",
  },
  reparam: {
    kind: "text",
    default: null,
    modes: built,
    choices: reparams,
    help: "blocks in the place of the model's 3x3 convolutions with stride 2, whatever its text says; pretrained plain weights become blocks of the same function",
  },
  modules: {
    kind: "text",
    default: null,
    modes: all,
    help: "JavaScript modules with blocks of your own, e.g. ./my-blocks.js; several with commas",
  },
  data: {
    kind: "text",
    default: null,
    modes: [...val, "study"],
    help: "dataset .yaml (path, train, val, names); without it the embedded handwritten digits (study: several with commas, e.g. digits,bccd/data.yaml)",
  },
  source: { kind: "text", default: null, modes: predict, help: "picture, folder of pictures, or a,b,c list of them" },
  project: { kind: "text", default: null, modes: folders, help: "folder of the run folders; without it runs/<task>" },
  name: { kind: "text", default: null, modes: folders, help: "name of the run folder; without it the mode" },
  exist_ok: { kind: "boolean", default: false, modes: folders, help: "write into an existing run folder" },
  device: {
    kind: "text",
    default: "auto",
    modes: computing,
    choices: ["auto", ...deviceNames],
    help: "where the tensors are computed; auto takes a graphics card if there is one, otherwise wasm",
  },
  threads: {
    kind: "integer",
    default: null,
    minimum: 1,
    modes: computing,
    help: "threads that compute; without it one per core; results are the same for any number",
  },
  wide: {
    kind: "boolean",
    default: false,
    modes: computing,
    help: "let the engine pair the vectors of the wasm device (experimental, faster; Node 24 or later)",
  },
  json: { kind: "boolean", default: false, modes: MODES, help: "print the result as one JSON object on the last line" },
  verbose: { kind: "boolean", default: true, modes: described, help: "print tables, layers and classes" },
  imgsz: {
    kind: "integer",
    default: 640,
    minimum: 32,
    modes: all,
    help: "side of the pictures the network sees, made a multiple of 32; the digits and weights files bring their own default, bench and study take 320",
  },
  // training
  epochs: {
    kind: "integer",
    default: 100,
    minimum: 1,
    modes: trained,
    help: "passes over the training pictures (the digits: 10)",
  },
  patience: {
    kind: "integer",
    default: 100,
    minimum: 0,
    modes: train,
    help: "stop after this many epochs without a better one (0: never)",
  },
  batch: { kind: "integer", default: 16, minimum: 1, modes: batched, help: "pictures per step (bench, study: 8)" },
  workers: {
    kind: "integer",
    default: 2,
    minimum: 0,
    modes: train,
    help: "threads that prepare pictures ahead of the step, 0: none (the digits: 0); any number gives the same batches",
  },
  save_period: {
    kind: "integer",
    default: -1,
    minimum: -1,
    modes: train,
    help: "keep weights/epochN.safetensors every so many epochs (-1: never)",
  },
  pretrained: {
    kind: "text",
    default: null,
    modes: trained,
    help: "weights .safetensors to start from; layers that do not fit keep their start values",
  },
  optimizer: {
    kind: "text",
    default: "auto",
    modes: train,
    choices: ["auto", "SGD", "AdamW"],
    help: "auto takes SGD for long and AdamW for short trainings and sets lr0 itself",
  },
  seed: { kind: "integer", default: 0, minimum: 0, modes: train, help: "seed of every random draw" },
  rect: { kind: "boolean", default: true, modes: ["val"], help: "rectangular batches, sorted by aspect ratio" },
  cos_lr: {
    kind: "boolean",
    default: false,
    modes: train,
    help: "cosine instead of linear learning rate (the digits: true)",
  },
  resume: {
    kind: "text",
    default: null,
    modes: train,
    help: "weights/last.safetensors, or the run folder it is in, to go on exactly where it stopped",
  },
  fraction: { kind: "fraction", default: 1, modes: trained, help: "part of the training pictures to use" },
  single_cls: { kind: "boolean", default: false, modes: val, help: "treat all classes as one" },
  freeze: {
    kind: "integers",
    default: null,
    modes: train,
    help: "layers that do not learn: one number is the first N, more are those layers",
  },
  val: { kind: "boolean", default: true, modes: train, help: "validate after every epoch; false: only at the end" },
  plots: { kind: "boolean", default: true, modes: ["train", "val"], help: "draw charts and sample pictures" },
  // learning
  lr0: {
    kind: "number",
    default: 0.01,
    minimum: 0,
    modes: train,
    help: "initial learning rate (optimizer=auto sets its own)",
  },
  lrf: { kind: "fraction", default: 0.01, modes: train, help: "final learning rate as part of lr0" },
  momentum: { kind: "fraction", default: 0.937, modes: train, help: "momentum of SGD, beta1 of Adam" },
  weight_decay: { kind: "fraction", default: 0.0005, modes: train, help: "weight decay" },
  warmup_epochs: { kind: "number", default: 3, minimum: 0, modes: train, help: "epochs of warm-up" },
  warmup_momentum: { kind: "fraction", default: 0.8, modes: train, help: "momentum at the start of the warm-up" },
  warmup_bias_lr: { kind: "fraction", default: 0.1, modes: train, help: "learning rate of biases at the start" },
  nbs: { kind: "integer", default: 64, minimum: 1, modes: train, help: "nominal batch: gradients are summed up to it" },
  box: { kind: "number", default: 7.5, minimum: 0, modes: train, help: "gain of the box loss" },
  cls: { kind: "number", default: 0.5, minimum: 0, modes: train, help: "gain of the class loss" },
  dfl: { kind: "number", default: 1.5, minimum: 0, modes: train, help: "gain of the distribution focal loss" },
  // augmentation
  hsv_h: augment(0.015, "change of hue"),
  hsv_s: augment(0.7, "change of saturation"),
  hsv_v: augment(0.4, "change of brightness"),
  flipud: augment(0, "probability of a flip upside down"),
  fliplr: augment(0.5, "probability of a flip left to right (the digits: 0)"),
  mosaic: augment(1, "probability of a mosaic of four pictures (the digits: 0)"),
  mixup: augment(0, "probability of another picture laid over"),
  close_mosaic: {
    kind: "integer",
    default: 10,
    minimum: 0,
    modes: train,
    help: "go without mosaic and mixup in the last so many epochs; with as many epochs or fewer there is none at all",
  },
  degrees: { kind: "number", default: 0, minimum: 0, modes: train, help: "rotation up to so many degrees either way" },
  translate: augment(0.1, "shift up to this part of the side (the digits: 0)"),
  scale: augment(0.5, "scale within 1 - scale to 1 + scale (the digits: 0)"),
  shear: { kind: "number", default: 0, minimum: 0, modes: train, help: "shear up to so many degrees either way" },
  perspective: augment(0, "perspective, parts per pixel; useful up to 0.001"),
  // detections
  conf: {
    kind: "fraction",
    default: null,
    modes: ["val", "predict"],
    help: "least confidence of a box; 0.001 in val, 0.25 in predict",
  },
  iou: { kind: "fraction", default: 0.7, modes: runs, help: "overlap above which the weaker of two boxes goes" },
  max_det: { kind: "integer", default: 300, minimum: 1, modes: runs, help: "most boxes per picture" },
  classes: { kind: "integers", default: null, modes: predict, help: "show these classes only, e.g. 0,2" },
  save_txt: { kind: "boolean", default: false, modes: predict, help: "write the boxes as labels/<picture>.txt" },
  save_conf: { kind: "boolean", default: false, modes: predict, help: "with save_txt: add the confidence" },
  show_labels: { kind: "boolean", default: true, modes: predict, help: "write class names on the picture" },
  show_conf: { kind: "boolean", default: true, modes: predict, help: "write confidences on the picture" },
  line_width: { kind: "integer", default: null, minimum: 1, modes: predict, help: "width of the lines in pixels" },
  // timing
  repeats: { kind: "integer", default: 10, minimum: 1, modes: timed, help: "timed runs of each program" },
  // the study
  methods: {
    kind: "text",
    default: "plain,dbb,repvgg,orepa,orepa-offline",
    modes: study,
    help: "what is compared",
  },
  sizes: {
    kind: "text",
    default: "64/56/32,128/28/32,256/14/32,512/7/32",
    modes: study,
    help: "single blocks as channels/side/batch; 0: none",
  },
  accuracy: {
    kind: "boolean",
    default: true,
    modes: study,
    help: "train on the digits and on data=; false: costs only",
  },
  seeds: { kind: "integer", default: 3, minimum: 1, modes: study, help: "trainings of each method" },
} as const satisfies Record<string, Argument>;

/** Names that users of Ultralytics know and that this program does not have; said so rather than guessed at. */
export const UNSUPPORTED: ReadonlySet<string> = new Set(
  (
    "amp augment auto_augment bgr cache copy_paste crop_fraction deterministic dnn dropout erasing half kobj " +
    "label_smoothing mask_ratio multi_scale overlap_mask pose profile save save_crop save_frames save_hybrid " +
    "save_json show stream_buffer time vid_stride visualize"
  ).split(" "),
);

export type ArgumentName = keyof typeof ARGUMENTS;

interface ValueOfKind {
  readonly integer: number;
  readonly fraction: number;
  readonly number: number;
  readonly boolean: boolean;
  readonly text: string;
  readonly integers: readonly number[];
}

type ValueOf<A extends Argument> = ValueOfKind[A["kind"]] | (A["default"] extends null ? null : never);

/** The checked values of all arguments. */
export type Settings = { readonly [N in ArgumentName]: ValueOf<(typeof ARGUMENTS)[N]> };

/** A value an argument can have. */
export type Value = Settings[ArgumentName];

/** The defaults of all arguments. */
export const defaultSettings = (): Settings =>
  // The mapped type cannot be built entry by entry; every entry comes from the table itself.
  Object.fromEntries(Object.entries(ARGUMENTS).map(([name, { default: value }]) => [name, value])) as Settings;
