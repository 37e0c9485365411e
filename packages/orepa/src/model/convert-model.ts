// Conversions of whole networks, in place: plain ones into re-parameterized ones of the same function, and online into offline.
import { BatchNorm2d, Conv2d } from "@orepa/autograd";
import type { BlockName } from "../definitions.ts";
import { type FromConvOptions, fromConv, type PlainConv } from "../from-conv.ts";
import { type BlockChoice, blockFor } from "../nets/choices.ts";
import { toOffline } from "../offline.ts";
import type { Network } from "./cost.ts";
import { findModules, isLinearBlock, replaceModules } from "./replace.ts";

/** Decides what takes the place of a convolution; undefined leaves it. */
export type ChooseBlock = (path: string, conv: Conv2d) => BlockName | undefined;

/**
 * Puts a block in the place of every convolution that is chosen, so that the network computes the same in eval mode and every branch
 * has a gradient: a trained network goes on with more branches. Convolutions count with their norm and activation (fields `conv`, `bn`
 * and `act`), and so do deployed ones, which have a bias and no norm; after those `calibrateNorms` should follow.
 *
 * @returns the network (another module where the network is itself a convolution with a norm).
 * @throws OpError if a chosen block cannot have the convolution's geometry; the network is then unchanged.
 * @example
 * const net = new ResNet({ depths: [1, 1, 1, 1], width: 0.125 }, { small: true, classes: 10 });
 * fromConvModel(net, "orepa");
 * deployModel(net, { inputShape: [1, 3, 32, 32] }).report.blocks[0].kind; // -> OREPA
 */
export function fromConvModel<M extends Network>(
  model: M,
  choice: BlockChoice | ChooseBlock,
  options: FromConvOptions = {},
): M {
  const blocks = new Map<object, object>();
  for (const [path, module] of findModules(model, isPlainConv)) {
    const chosen =
      typeof choice === "function"
        ? { name: choice(path, module.conv), options: {} }
        : blockFor(choice, module.conv.kernelSize[0]);
    if (chosen.name !== undefined) blocks.set(module, fromConv(chosen.name, module, { ...chosen.options, ...options }));
  }
  // The type is kept: what comes out of a module in the place of another is the same.
  return replaceModules(model, blocks) as M;
}

/**
 * Puts the offline form in the place of every re-parameterized block: the same Variables, every branch on feature maps. The oracle of
 * whole networks, and the baseline of what online merging saves.
 */
export const toOfflineModel = <M extends Network>(model: M): M =>
  replaceModules(
    model,
    new Map([...findModules(model, isLinearBlock).values()].map((block) => [block, toOffline(block)])),
  ) as M; // as above

/** A convolution with what may follow it. */
const isPlainConv = (module: object): module is PlainConv =>
  !isLinearBlock(module) &&
  "conv" in module &&
  module.conv instanceof Conv2d &&
  "act" in module &&
  (!("bn" in module) || module.bn === undefined || module.bn instanceof BatchNorm2d);
