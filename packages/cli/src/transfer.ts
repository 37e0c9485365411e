// What a training starts from: the weights of a file in a model, plain convolutions as blocks of the same function.

import { loadStateDict, stateDict } from "@orepa/autograd";
import { calibrateNorms, findModules, isConvNorm, type LinearBlock, RepBlock, startFromConv } from "@orepa/orepa";
import { add, type DeviceSpec, fromData, ones, reshape, sqrt, type Tensor } from "@orepa/tensor";
import { type Batch, Conv, type DetectModel, stripCheckpoint, UserError } from "@orepa/yolo";
import type { Weights } from "./models.ts";

/** The first values of a training, and how they came about. */
export interface Start {
  /** All Variables of the model. */
  readonly state: ReadonlyMap<string, Tensor>;
  /** For the console. */
  readonly message: string;
  /** Whether some norms have passed on what they got so far: the file had convolutions with biases in the place of norms. */
  readonly uncalibrated: boolean;
}

type State = Map<string, Tensor>;

/**
 * Gives the model the weights that fit. Where it has a block and the file a convolution, the block starts as exactly that.
 * @throws UserError when none fits, and where the file holds the parts of another block than the model.
 */
export function transfer(model: DetectModel, { file, checkpoint }: Pick<Weights, "file" | "checkpoint">): Start {
  const state: State = new Map(stripCheckpoint(checkpoint).tensors);
  checkBlocks(model, state, file);
  const blocks = [...findModules(model, isRepBlock)];
  const kinds = blocks.flatMap(([path, block]) => (startBlock(path, block, state) ? [block.kind] : []));
  const uncalibrated = kinds.some((_, i) => state.has(`${blocks[i]![0]}.conv.bias`));
  const passing = passOn(model, state);
  const { loaded, missing, mismatched } = loadStateDict(model, state, { strict: false });
  const own = missing.filter((key) => !blocks.some(([path]) => key.startsWith(`${path}.`)));
  const total = loaded.length + own.length + mismatched.length;
  if (loaded.length === 0 && kinds.length === 0) {
    throw new UserError(
      `${file}: expected weights for this model, got none of its ${total} entries (check model= and pretrained=)`,
    );
  }
  const first = mismatched[0] === undefined ? "" : `, other shape: ${mismatched.length} (first ${mismatched[0]})`;
  const converted =
    kinds.length === 0 ? "" : `, ${kinds.length} convolutions as ${kinds[0]} blocks of the same function`;
  return {
    state: stateDict(model),
    message: `Transferred ${loaded.length}/${total} entries from ${file}${first}${converted}`,
    uncalibrated: uncalibrated || passing > 0,
  };
}

/** The start with norms that know what they see: see `calibrateNorms`. */
export async function calibrated(
  model: DetectModel,
  start: Start,
  { batch, device }: { batch: Pick<Batch, "images" | "shape">; device: DeviceSpec },
): Promise<Start> {
  loadStateDict(model, start.state);
  await calibrateNorms(model, fromData(batch.images, batch.shape), { device });
  return { ...start, state: stateDict(model), uncalibrated: false };
}

const isRepBlock = (module: object): module is RepBlock & LinearBlock => module instanceof RepBlock;

/** Keys below a path, without it. */
const below = (state: State, path: string): State =>
  new Map(
    [...state].flatMap(([key, value]) => (key.startsWith(`${path}.`) ? [[key.slice(path.length + 1), value]] : [])),
  );

/** Starts a block as the convolution that the state has in its place, if it does and it fits. */
function startBlock(path: string, block: RepBlock, state: State): boolean {
  const { inChannels, outChannels, ...window } = block.geometry;
  const found = below(state, path);
  const expected = [outChannels, inChannels / window.groups, window.kernelSize, window.kernelSize];
  if (found.get("conv.weight")?.shape.join() !== expected.join()) return false;
  const source = new Conv(inChannels, outChannels, { ...window, fused: !found.has("bn.weight") });
  loadStateDict(source, found, { strict: false });
  startFromConv(block, source);
  return true;
}

/** Norms that add the biases of convolutions that the file has in their places; returns how many. */
function passOn(model: DetectModel, state: State): number {
  let count = 0;
  for (const [path, { conv, bn }] of findModules(model, isConvNorm)) {
    const bias = state.get(`${path}.conv.bias`);
    const fits = state.get(`${path}.conv.weight`)?.shape.join() === conv.weight.shape.join();
    if (bias === undefined || !fits || state.has(`${path}.bn.weight`)) continue;
    const one = ones([bn.channels]);
    state.delete(`${path}.conv.bias`);
    state.set(`${path}.bn.weight`, sqrt(add(one, bn.eps)));
    state.set(`${path}.bn.bias`, reshape(bias, [bn.channels]));
    count++;
  }
  return count;
}

/** Throws a UserError where the file has parts of a block and the model another block or a convolution. */
function checkBlocks(model: DetectModel, state: State, file: string): void {
  for (const [path, module] of findModules(
    model,
    (module): module is object => isRepBlock(module) || isConvNorm(module),
  )) {
    const found = [...below(state, path).keys()];
    if (found.length === 0 || found.includes("conv.weight")) continue;
    const known = stateDict(module);
    const other = found.find((key) => !known.has(key));
    if (other === undefined) continue;
    const kind = isRepBlock(module) ? module.kind : "a convolution";
    throw new UserError(
      `${file}: expected at ${path} the weights of ${kind} or of a plain convolution, got those of another block (${other}); ` +
        "take the deployed weights of that training, or its own reparam= and model=",
    );
  }
}
