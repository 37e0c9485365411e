// Decides what a training is: settings, architecture, class names and where it goes, anew or from a checkpoint.

import path from "node:path";
import { loadStateDict } from "@orepa/autograd";
import { type Checkpoint, type DetectModel, type TrainArgs, UserError } from "@orepa/yolo";
import type { ArgumentName, Settings } from "./args.ts";
import { classNames, DIGIT_DEFAULTS, isDigits } from "./data.ts";
import type { Io } from "./io.ts";
import {
  type Architecture,
  createModel,
  DEFAULT_MODEL,
  findModel,
  metadataOf,
  readCheckpoint,
  readWeights,
  type Weights,
} from "./models.ts";
import { placeOf } from "./modules.ts";
import { kindOf, nodeFiles } from "./node-files.ts";
import type { Command } from "./parse-args.ts";
import { createRunFolder } from "./run-folder.ts";
import { type Start, transfer } from "./transfer.ts";

/** A training about to begin. */
export interface TrainPlan {
  /** As they are used; paths are absolute. */
  readonly settings: Settings;
  readonly architecture: Architecture;
  readonly names: readonly string[];
  readonly folder: string;
  /** Values to start from; null for those drawn by the seed. */
  readonly start: Start | null;
  /** Where to go on; null for a new training. */
  readonly resume: Checkpoint | null;
}

/** Arguments that may be given beside resume=; the others are those of the training that goes on. */
const WITH_RESUME: readonly ArgumentName[] = [
  "resume",
  "device",
  "threads",
  "wide",
  "workers",
  "json",
  "verbose",
  "plots",
  "modules",
];

/** The plan of a command line. */
export function planTraining(command: Command, io: Io): Promise<TrainPlan> {
  return command.settings.resume === null ? planNew(command, io) : planResumed(command, io);
}

async function planNew({ settings, given }: Command, io: Io): Promise<TrainPlan> {
  const files = nodeFiles(io.cwd);
  const digits = isDigits(settings.data);
  const preset = digits ? digitDefaults(given) : {};
  const { imgsz } = { ...settings, ...preset };
  const model = settings.model ?? DEFAULT_MODEL;
  const used: Settings = {
    ...settings,
    ...preset,
    model,
    imgsz: Math.ceil(imgsz / 32) * 32,
    data: digits ? "digits" : files.resolve(settings.data!),
  };
  const names = await classNames(used.data, used.single_cls, io);
  const { architecture, weights } = await findModel(model, await placeOf(settings, io.cwd), settings.reparam);
  if (architecture.fused) {
    throw new UserError(
      `model: expected weights that can be trained, got deployed ones (use best.safetensors of the same run)`,
    );
  }
  const from = used.pretrained === null ? weights : await readWeightsLoosely(used.pretrained, io.cwd);
  const first = createModel(architecture, { nc: names.length, seed: used.seed });
  const start = from === null ? null : transfer(first, from);
  const folder = await createRunFolder({
    cwd: io.cwd,
    project: used.project,
    name: used.name ?? "train",
    existOk: used.exist_ok,
  });
  return { settings: used, architecture, names, folder, start, resume: null };
}

/** Defaults of the digits that suit their optimizer alone. */
const OF_THE_OPTIMIZER = ["lr0", "warmup_epochs"];

/** The defaults of the digits that were not overruled. */
function digitDefaults(given: ReadonlySet<ArgumentName>): Partial<Settings> {
  const kept = Object.entries(DIGIT_DEFAULTS).filter(
    ([name]) => !given.has(name as ArgumentName) && !(OF_THE_OPTIMIZER.includes(name) && given.has("optimizer")),
  );
  return Object.fromEntries(kept);
}

/** Weights for `pretrained=`: also files of other programs, which know no architecture. */
async function readWeightsLoosely(file: string, cwd: string): Promise<Weights> {
  const checkpoint = await readCheckpoint(file, cwd);
  return { file: nodeFiles(cwd).resolve(file), names: [], imgsz: 0, checkpoint };
}

async function planResumed({ settings, given }: Command, io: Io): Promise<TrainPlan> {
  const other = [...given].find((name) => !WITH_RESUME.includes(name));
  if (other !== undefined) {
    throw new UserError(
      `${other}: expected no arguments beside resume=, got ${other} (a resumed training keeps its own; leave it out)`,
    );
  }
  const asked = nodeFiles(io.cwd).resolve(settings.resume!);
  const isFolder = (await kindOf(asked)) === "folder";
  const inWeights = isFolder && path.basename(asked) === "weights";
  const file = isFolder ? path.join(asked, inWeights ? "" : "weights", "last.safetensors") : asked;
  const { architecture, weights } = await readWeights(file, await placeOf(settings, io.cwd));
  const { settings: saved } = weights.checkpoint.metadata;
  if (saved === undefined || ![...weights.checkpoint.tensors.keys()].some((key) => key.startsWith("train/"))) {
    throw new UserError(
      `resume: expected last.safetensors of a training, got ${file} (it holds weights only; to start from them: pretrained=)`,
    );
  }
  const { device, threads, wide, json, verbose, plots, modules } = settings;
  const own = JSON.parse(saved) as Settings;
  const workers = given.has("workers") ? settings.workers : own.workers;
  const used = { ...own, device, threads, wide, workers, json, verbose, plots, modules, resume: file };
  const folder = path.dirname(path.dirname(file));
  return { settings: used, architecture, names: weights.names, folder, start: null, resume: weights.checkpoint };
}

/** A fresh model of a plan; every call gives equal values. */
export function planModel({ architecture, names, settings, start }: TrainPlan): DetectModel {
  const model = createModel(architecture, { nc: names.length, seed: settings.seed });
  if (start !== null) loadStateDict(model, start.state);
  return model;
}

/** What the trainer takes. */
export function trainArguments(settings: Settings): TrainArgs {
  const { freeze, optimizer } = settings;
  return {
    ...settings,
    // The table allows no other.
    optimizer: optimizer as TrainArgs["optimizer"],
    freeze: freeze?.length === 1 ? freeze[0]! : freeze,
    conf: 0.001,
  };
}

/** What every checkpoint of a plan carries. */
export const planMetadata = ({ architecture, names, settings }: TrainPlan): Record<string, string> => ({
  ...metadataOf(architecture, { names, imgsz: settings.imgsz }),
  settings: JSON.stringify(settings),
});
