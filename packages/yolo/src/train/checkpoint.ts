// Checkpoints: everything that an exact resume needs, as tensors and strings; and the plain weights in them for everyone else.
import { loadStateDict, readStateDict } from "@orepa/autograd";
import type { Tensor, Variable } from "@orepa/tensor";
import { UserError } from "../errors.ts";
import type { DetectModel } from "../model/detect-model.ts";
import type { Checkpoint, LossItems, ResultsRow, TrainArgs } from "./events.ts";

/** Where a training stands, apart from the tensors. */
export interface Progress {
  readonly args: TrainArgs;
  /** The batch to run next: epoch and index. The index equals the number of batches when only the validation is left. */
  readonly epoch: number;
  readonly batch: number;
  /** Iteration of the last optimizer step, -1 before the first. */
  readonly lastStep: number;
  /** Optimizer steps taken. */
  readonly updates: number;
  /** Sums of the loss items over the batches of the epoch so far. */
  readonly sums: LossItems;
  readonly bestFitness: number;
  readonly bestEpoch: number;
  readonly rows: readonly ResultsRow[];
  /** Number of training pictures: the order of the batches depends on it. */
  readonly images: number;
}

/** The Variables of a training. */
export interface TrainState {
  readonly model: DetectModel;
  readonly average: DetectModel;
  readonly optimizerState: ReadonlyMap<string, Variable>;
  readonly accumulated: ReadonlyMap<string, Variable>;
}

const prefixes = { model: "train/model/", optimizer: "train/optimizer/", accumulated: "train/accumulated/" } as const;
const resumePrefix = "train/";
/** The metadata entry that holds the {@link Progress}. */
const progressKey = "train";

/** The checkpoint of a training as it stands; `metadata` is kept along. */
export async function createCheckpoint(
  state: TrainState,
  progress: Progress,
  metadata: Readonly<Record<string, string>> = {},
): Promise<Checkpoint> {
  const tensors = new Map(await readStateDict(state.average));
  for (const [key, value] of await readStateDict(state.model)) tensors.set(prefixes.model + key, value);
  for (const [key, variable] of state.optimizerState) tensors.set(prefixes.optimizer + key, await variable.read());
  for (const [key, variable] of state.accumulated) tensors.set(prefixes.accumulated + key, await variable.read());
  return { tensors, metadata: { ...metadata, [progressKey]: JSON.stringify(progress) } };
}

/** Where the training of a checkpoint stands. Throws a UserError for plain weights. */
export function readProgress({ metadata }: Checkpoint): Progress {
  const text = metadata[progressKey];
  if (text === undefined) {
    throw new UserError(
      "resume: expected a checkpoint of a training, got weights alone (use them as model=..., or resume from last.safetensors)",
    );
  }
  return JSON.parse(text) as Progress;
}

/** Puts a checkpoint's tensors into the Variables of a training. Throws a UserError when they do not fit. */
export function restoreState({ tensors }: Checkpoint, state: TrainState): void {
  const under = (prefix: string) =>
    new Map(
      [...tensors].flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])),
    );
  loadStateDict(state.average, plainTensors(tensors));
  loadStateDict(state.model, under(prefixes.model));
  restoreVariables(under(prefixes.optimizer), state.optimizerState, "optimizer state");
  restoreVariables(under(prefixes.accumulated), state.accumulated, "summed gradients");
}

/** The checkpoint without what only a resume needs: the averaged weights, and the metadata but for the progress. */
export function stripCheckpoint({ tensors, metadata }: Checkpoint): Checkpoint {
  const { [progressKey]: _, ...rest } = metadata;
  return { tensors: plainTensors(tensors), metadata: rest };
}

const plainTensors = (tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map([...tensors].filter(([key]) => !key.startsWith(resumePrefix)));

function restoreVariables(saved: Map<string, Tensor>, variables: ReadonlyMap<string, Variable>, what: string): void {
  for (const [key, variable] of variables) {
    const value = saved.get(key);
    if (value === undefined) throw new UserError(`resume: expected ${what} of ${key} in the checkpoint, found none`);
    variable.assign(value);
  }
  const [extra] = [...saved.keys()].filter((key) => !variables.has(key));
  if (extra !== undefined) throw new UserError(`resume: found ${what} of ${extra}, which this model does not train`);
}
