// The blocks that the command's models may name: those of YOLO11, and OREPA from its own package.

import { type Module, SiLU } from "@orepa/autograd";
import { Orepa } from "@orepa/orepa";
import {
  type BlockBuilder,
  type BlockRegistry,
  Conv,
  convolutionArguments,
  singleInput,
  yoloBlocks,
} from "@orepa/yolo";

/** Deployed OREPA blocks share one activation of their own, as trained ones do: module counts stay those of the reference. */
const deployedActivation: Module = new SiLU();

/** [c2, k = 3, s = 1]: `Conv`'s arguments; deployed, a plain convolution. */
const orepa: BlockBuilder = (context) => {
  const { inChannels, outChannels, args, stride, ...size } = convolutionArguments(context, { kernelSize: 3 });
  const module = context.fused
    ? new Conv(inChannels, outChannels, { ...size, stride, activation: deployedActivation, fused: true })
    : new Orepa(inChannels, outChannels, { ...size, stride });
  return singleInput(context, module, { outChannels, stride, args });
};

/** Blocks by their names in model text. */
export const registry = { ...yoloBlocks, OREPA: orepa } as const satisfies BlockRegistry;
