// The blocks that the command's models may name: those of YOLO11, and the re-parameterized ones from their own package.

import { type Module, SiLU } from "@orepa/autograd";
import {
  type BlockName,
  createBlock,
  findModules,
  fromConv,
  isConvNorm,
  type NormPlacement,
  replaceModules,
} from "@orepa/orepa";
import {
  type BlockBuilder,
  type BlockRegistry,
  Conv,
  convolutionArguments,
  singleInput,
  yoloBlocks,
} from "@orepa/yolo";

/** Deployed blocks share one activation of their own, as trained ones do: module counts stay those of the reference. */
const deployedActivation: Module = new SiLU();

/** Blocks in the place of a `Conv` row: one for windows and, where there is one, another for 1x1. */
interface Blocks {
  readonly window: BlockName;
  readonly pointwise?: BlockName;
  readonly norm?: NormPlacement;
}

/** [c2, k, s = 1]: `Conv`'s arguments; deployed, a plain convolution. */
const block =
  ({ window, pointwise = window, norm }: Blocks, usualSize = 3): BlockBuilder =>
  (context) => {
    const { inChannels, outChannels, args, stride, ...size } = convolutionArguments(context, { kernelSize: usualSize });
    const name = size.kernelSize === 1 ? pointwise : window;
    const module = context.fused
      ? new Conv(inChannels, outChannels, { ...size, stride, activation: deployedActivation, fused: true })
      : createBlock(name, inChannels, outChannels, { ...size, stride, ...(norm && { norm }) });
    return singleInput(context, module, { outChannels, stride, args });
  };

/** `C3k2` whose bottlenecks have an OREPA block as their second convolution; deployed, a C3k2. */
const c3k2Orepa: BlockBuilder = (context) => {
  const built = yoloBlocks.C3k2(context);
  if (context.fused) return built;
  const stages = [...findModules(built.module, isConvNorm)].filter(([path]) => /^m\..*\.cv2$/.test(path));
  const blocks = stages.flatMap(([, conv]) =>
    conv.conv.kernelSize[0] === 1 ? [] : [[conv, fromConv("orepa", conv)] as const],
  );
  replaceModules(built.module, new Map(blocks));
  return built;
};

/** Blocks by their names in model text. */
export const registry = {
  ...yoloBlocks,
  OREPA: block({ window: "orepa", pointwise: "orepa-1x1" }),
  OREPA_1x1: block({ window: "orepa-1x1" }, 1),
  OREPA_offline: block({ window: "orepa", pointwise: "orepa-1x1", norm: "branch" }),
  DBB: block({ window: "dbb" }),
  RepVGG: block({ window: "repvgg" }),
  C3k2_OREPA: c3k2Orepa,
} as const satisfies BlockRegistry;
