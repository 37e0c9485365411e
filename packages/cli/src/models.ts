// Finds the model that the user means: a name, a model text or a weights file that knows its own architecture.

import path from "node:path";
import { initialize, loadStateDict, readSafetensors, StateDictError } from "@orepa/autograd";
import type { Tensor } from "@orepa/tensor";
import {
  type BlockRegistry,
  buildModel,
  type Checkpoint,
  type DetectModel,
  modelYaml,
  stripCheckpoint,
  UserError,
} from "@orepa/yolo";
import { nodeFiles } from "./node-files.ts";
import { type Reparam, withReparam } from "./reparam.ts";

/** What is trained, or told about, without model=. */
export const DEFAULT_MODEL = "yolo11n-OREPA.yaml";

/** An architecture: everything needed to build it, kept in the metadata of weights files. */
export interface Architecture {
  /** For the summary line: `YOLO11n-OREPA`. */
  readonly label: string;
  readonly text: string;
  readonly scale: string | undefined;
  readonly fused: boolean;
  /** The blocks that the text may name. */
  readonly registry: BlockRegistry;
}

/** Where models are looked for, and the blocks that they may name. */
export interface Place {
  readonly cwd: string;
  readonly registry: BlockRegistry;
}

/** An architecture, and for a weights file what it was trained on and its weights. */
export interface ModelSpec {
  readonly architecture: Architecture;
  readonly weights: Weights | null;
}

/** What a weights file holds. */
export interface Weights {
  readonly file: string;
  readonly names: readonly string[];
  readonly imgsz: number;
  /** As it was read; keys that begin with `train/` are there only to resume. */
  readonly checkpoint: Checkpoint;
}

/** The architecture, or the weights, that `model=` names, with the blocks that `reparam=` asks for. */
export async function findModel(model: string, place: Place, reparam: string | null = null): Promise<ModelSpec> {
  const found = await findNamed(model, place);
  if (reparam === null) return found;
  const { architecture } = found;
  if (architecture.fused)
    throw new UserError(
      "reparam: expected a model that can be trained, got deployed weights (give them as pretrained= to model=yolo11n.yaml or the like)",
    );
  // The table of arguments allows no other.
  return { ...found, architecture: exchanged(architecture, reparam as Reparam) };
}

function exchanged(architecture: Architecture, reparam: Reparam): Architecture {
  const { label, text } = architecture;
  const plain = label.replace(/-(OREPA|OREPA_offline|DBB|RepVGG)$/, "");
  return { ...architecture, text: withReparam(text, reparam), label: `${plain}${labelSuffix[reparam]}` };
}

const labelSuffix: Readonly<Record<Reparam, string>> = {
  none: "",
  orepa: "-OREPA",
  "orepa-offline": "-OREPA_offline",
  dbb: "-DBB",
  repvgg: "-RepVGG",
};

async function findNamed(model: string, place: Place): Promise<ModelSpec> {
  if (/\.safetensors$/i.test(model)) return readWeights(model, place);
  if (!/\.ya?ml$/i.test(model) && !/^yolo11[nsmlx]?(-OREPA)?$/.test(model)) {
    throw new UserError(`model: expected a .yaml or .safetensors file, got "${model}" (e.g. model=yolo11n-OREPA.yaml)`);
  }
  const { cwd, registry } = place;
  const files = nodeFiles(cwd);
  const kind = await files.kind(files.resolve(model));
  if (kind === "file") return { architecture: await readYaml(files.resolve(model), registry), weights: null };
  if (path.basename(model) !== model || !model.startsWith("yolo11")) {
    throw new UserError(
      `model: expected a file, but there is none at ${files.resolve(model)} (check the path, or use yolo11n-OREPA.yaml)`,
    );
  }
  const { name, text, scale } = modelYaml(model);
  return { architecture: { label: labelOf(name, scale), text, scale, fused: false, registry }, weights: null };
}

/** `yolo11-OREPA`, n: `YOLO11n-OREPA`. */
const labelOf = (name: string, scale: string | undefined): string => name.replace(/^yolo11/, `YOLO11${scale ?? ""}`);

async function readYaml(file: string, registry: BlockRegistry): Promise<Architecture> {
  const text = await nodeFiles("/").readText(file);
  // As with the models that come along: yolo11s-mine.yaml means scale s where the text has one of that name.
  const letter = /^yolo11([nsmlx])/i.exec(path.basename(file))?.[1];
  const scale = letter !== undefined && new RegExp(`^\\s+${letter}\\s*:`, "m").test(text) ? letter : undefined;
  return { label: path.basename(file).replace(/\.ya?ml$/i, ""), text, scale, fused: false, registry };
}

/** Reads a weights file and the architecture that its metadata describes. */
export async function readWeights(
  model: string,
  { cwd, registry }: Place,
): Promise<{ architecture: Architecture; weights: Weights }> {
  if (!/\.safetensors$/i.test(model)) {
    throw new UserError(
      `weights: expected a .safetensors file, got "${model}" (e.g. runs/detect/train/weights/best.safetensors)`,
    );
  }
  const checkpoint = await readCheckpoint(model, cwd);
  const file = nodeFiles(cwd).resolve(model);
  const {
    model_yaml: text,
    scale,
    label,
    names,
    imgsz,
    fused,
  } = checkpoint.metadata as Partial<Record<string, string>>;
  if (text === undefined || names === undefined) {
    throw new UserError(
      `${file}: expected weights written by orepa train, got a file without model and class names (train one first)`,
    );
  }
  return {
    architecture: {
      label: label ?? path.basename(file),
      text,
      scale: scale || undefined,
      fused: fused === "true",
      registry,
    },
    weights: { file, names: JSON.parse(names) as string[], imgsz: Number(imgsz), checkpoint },
  };
}

/** Reads a safetensors file. Throws a UserError that says what is wrong with it. */
export async function readCheckpoint(model: string, cwd: string): Promise<Checkpoint> {
  const files = nodeFiles(cwd);
  const file = files.resolve(model);
  if ((await files.kind(file)) !== "file") {
    throw new UserError(`weights: expected a file, but there is none at ${file} (check the path)`);
  }
  try {
    return readSafetensors(await files.readBytes(file));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${file}: ${(error as Error).message}`);
  }
}

/** The metadata that lets a weights file be used alone. */
export const metadataOf = (
  architecture: Omit<Architecture, "registry">,
  { names, imgsz }: { names: readonly string[]; imgsz: number },
): Record<string, string> => ({
  format: "orepa",
  label: architecture.label,
  model_yaml: architecture.text,
  scale: architecture.scale ?? "",
  nc: String(names.length),
  names: JSON.stringify(names),
  imgsz: String(imgsz),
  fused: String(architecture.fused),
});

/** Builds a model with its first values; `nc` replaces the number of classes of the text. */
export function createModel(
  { text, scale, fused, registry }: Architecture,
  options: { nc?: number; seed?: number } = {},
): DetectModel {
  const model = buildModel(text, { scale, fused, nc: options.nc, registry });
  initialize(model, options.seed ?? 0);
  return model;
}

/** The model of a weights file, with its weights. Throws a UserError that names the first entry that does not fit. */
export function loadedModel({ architecture, weights }: { architecture: Architecture; weights: Weights }): DetectModel {
  const model = createModel(architecture, { nc: weights.names.length });
  try {
    loadStateDict(model, plainWeights(weights.checkpoint));
  } catch (error) {
    if (!(error instanceof StateDictError)) throw error;
    throw new UserError(`${weights.file}: ${mismatch(error)} (the file was not written for this model)`);
  }
  return model;
}

/** The weights without what only a resume needs. */
const plainWeights = (checkpoint: Checkpoint): ReadonlyMap<string, Tensor> => stripCheckpoint(checkpoint).tensors;

const show = (shape: readonly number[] | undefined): string =>
  shape ? `shape [${shape.join(", ")}]` : "no such entry";
const mismatch = ({ key, expected, got }: StateDictError): string =>
  `${key}: expected ${show(expected)}, got ${show(got)}`;
