// The blocks that YOLO11 model text may name: how each reads its row.

import { MaxPool2d, Upsample } from "@orepa/autograd";
import { UserError } from "../errors.ts";
import { Bottleneck } from "./blocks/bottleneck.ts";
import { C2PSA } from "./blocks/c2psa.ts";
import { C3k } from "./blocks/c3k.ts";
import { C3k2 } from "./blocks/c3k2.ts";
import { Concat } from "./blocks/concat.ts";
import { Conv, DWConv } from "./blocks/conv.ts";
import { SPPF } from "./blocks/sppf.ts";
import { Detect } from "./heads/detect.ts";
import {
  argumentsOf,
  type BlockBuilder,
  type BlockContext,
  type BlockRegistry,
  convolutionArguments,
  once,
  singleInput,
} from "./registry.ts";

/** Scales whose C3k2 blocks hold C3k blocks whatever the text says. */
const deepScales = ["m", "l", "x"];

/** [c2, k = 1, s = 1, padding = k // 2, groups = 1, dilation = 1] */
const conv: BlockBuilder = (context) => {
  const { inChannels, outChannels, args, ...size } = convolutionArguments(context);
  const read = argumentsOf(context);
  const padding = context.args[3] == null ? {} : { padding: read.number(3, "padding") };
  const options = { ...size, ...padding, groups: read.count(4, "groups", 1), dilation: read.count(5, "dilation", 1) };
  const module = new Conv(inChannels, outChannels, { ...options, fused: context.fused });
  return singleInput(context, module, { outChannels, stride: size.stride, args });
};

/** [c2, k = 1, s = 1] */
const dwConv: BlockBuilder = (context) => {
  const { inChannels, outChannels, args, ...size } = convolutionArguments(context);
  const module = new DWConv(inChannels, outChannels, { ...size, fused: context.fused });
  return singleInput(context, module, { outChannels, stride: size.stride, args });
};

/** [c2, shortcut = true] */
const bottleneck: BlockBuilder = (context) => {
  const { inChannels, outChannels, args } = channels(context);
  once(context);
  const shortcut = argumentsOf(context).flag(1, "shortcut", true);
  const module = new Bottleneck(inChannels, outChannels, { shortcut, fused: context.fused });
  return singleInput(context, module, { outChannels, args });
};

/** [c2, shortcut = true] */
const c3k: BlockBuilder = (context) => {
  const { inChannels, outChannels } = channels(context);
  const { repeats, fused } = context;
  const shortcut = argumentsOf(context).flag(1, "shortcut", true);
  const module = new C3k(inChannels, outChannels, { repeats, shortcut, fused });
  return singleInput(context, module, {
    outChannels,
    args: [inChannels, outChannels, repeats, ...context.args.slice(1)],
  });
};

/** [c2, c3k = false, expansion = 0.5] */
const c3k2: BlockBuilder = (context) => {
  const { inChannels, outChannels } = channels(context);
  const { repeats, fused, scale } = context;
  const read = argumentsOf(context);
  const deep = read.flag(1, "c3k", false) || deepScales.includes(scale.name);
  const expansion = read.number(2, "expansion", 0.5);
  const module = new C3k2(inChannels, outChannels, { repeats, c3k: deep, expansion, fused });
  return singleInput(context, module, {
    outChannels,
    args: [inChannels, outChannels, repeats, deep, ...context.args.slice(2)],
  });
};

/** [c2, k = 5] */
const sppf: BlockBuilder = (context) => {
  const { inChannels, outChannels, args } = channels(context);
  once(context);
  const kernelSize = argumentsOf(context).count(1, "kernel size", 5);
  return singleInput(context, new SPPF(inChannels, outChannels, { kernelSize, fused: context.fused }), {
    outChannels,
    args,
  });
};

/** [c2, expansion = 0.5]; c2 after scaling must equal the input channels. */
const c2psa: BlockBuilder = (context) => {
  const { inChannels, outChannels } = channels(context);
  const { repeats, fused } = context;
  const expansion = argumentsOf(context).number(1, "expansion", 0.5);
  const module = new C2PSA(inChannels, outChannels, { repeats, expansion, fused });
  return singleInput(context, module, {
    outChannels,
    args: [inChannels, outChannels, repeats, ...context.args.slice(1)],
  });
};

/** [size (must be null), factor, mode = nearest] */
const upsample: BlockBuilder = (context) => {
  once(context);
  const scale = argumentsOf(context).count(1, "factor");
  const [size, , mode = "nearest"] = context.args;
  if (size != null || (mode !== "nearest" && mode !== "bilinear"))
    throw new UserError(
      `${context.where}: expected [null, factor, nearest or bilinear], got ${JSON.stringify(context.args)}`,
    );
  const module = new Upsample(scale, mode);
  return singleInput(context, module, { outChannels: context.inChannels[0]!, stride: 1 / scale, args: context.args });
};

/** [k, s = k, padding = 0] */
const maxPool: BlockBuilder = (context) => {
  once(context);
  const read = argumentsOf(context);
  const kernelSize = read.count(0, "kernel size");
  const stride = read.count(1, "stride", kernelSize);
  const module = new MaxPool2d(kernelSize, { stride, padding: read.number(2, "padding", 0) });
  return singleInput(context, module, { outChannels: context.inChannels[0]!, stride, args: context.args });
};

/** [1]: channels of all inputs, which must have one stride. */
const concat: BlockBuilder = (context) => {
  once(context);
  const { where, args, inChannels, inStrides } = context;
  if (argumentsOf(context).count(0, "dimension", 1) !== 1)
    throw new UserError(`${where}: expected dimension 1 (channels), got ${JSON.stringify(args[0])}`);
  if (new Set(inStrides).size > 1)
    throw new UserError(
      `${where}: expected inputs of one stride, got strides ${inStrides.join(" and ")}; resize first`,
    );
  const module = new Concat(1);
  const outChannels = inChannels.reduce((a, b) => a + b, 0);
  return {
    kind: "block",
    module,
    forward: (inputs, mode) => module.forward(inputs, mode),
    outChannels,
    stride: inStrides[0]!,
    args,
  };
};

/** [nc] */
const detect: BlockBuilder = (context) => {
  once(context);
  const { inChannels, inStrides, fused } = context;
  const nc = argumentsOf(context).count(0, "number of classes");
  return { kind: "head", module: new Detect(nc, inChannels, { strides: inStrides, fused }), args: [nc, inChannels] };
};

function channels(context: BlockContext): { inChannels: number; outChannels: number; args: readonly unknown[] } {
  const inChannels = context.inChannels[0]!;
  const outChannels = context.scaleChannels(argumentsOf(context).count(0, "output channels"));
  return { inChannels, outChannels, args: [inChannels, outChannels, ...context.args.slice(1)] };
}

/** All blocks of YOLO11 detection models, by their names in model text. */
export const yoloBlocks = {
  Conv: conv,
  DWConv: dwConv,
  Bottleneck: bottleneck,
  C3k: c3k,
  C3k2: c3k2,
  SPPF: sppf,
  C2PSA: c2psa,
  MaxPool2d: maxPool,
  Upsample: upsample,
  Concat: concat,
  Detect: detect,
} as const satisfies BlockRegistry;
