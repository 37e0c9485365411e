// Every block's derivatives against central differences, train and eval: a table with a row for each block that model text can
// name, and for the parts of those blocks.

import { gradcheck, type Mode, namedParameters, toDtype } from "@orepa/autograd";
import { concat, flatten, Generator, rand, type Tensor } from "@orepa/tensor";
import { describe, expect, test } from "vitest";
import { Attention, PSABlock } from "./blocks/attention.ts";
import { Proto } from "./blocks/proto.ts";
import { Detect } from "./heads/detect.ts";
import { DFL } from "./heads/dfl.ts";
import type { BlockRegistry, BuiltBlock } from "./registry.ts";
import { yoloBlocks } from "./yolo-blocks.ts";

type Named = Exclude<keyof typeof yoloBlocks, "Detect">;
type Part = "Detect" | "Attention" | "PSABlock" | "DFL" | "Proto";

/** Arguments as in model text, the input's channels and the repeats. */
interface Row {
  readonly inChannels: readonly number[];
  readonly args: readonly unknown[];
  readonly repeats?: number;
  readonly size?: readonly [number, number];
}

const named: Readonly<Record<Named, Row>> = {
  Conv: { inChannels: [2], args: [3, 3, 2], size: [4, 3] },
  DWConv: { inChannels: [2], args: [4, 3, 1] },
  Bottleneck: { inChannels: [4], args: [4] },
  C3k: { inChannels: [4], args: [4], repeats: 2 },
  C3k2: { inChannels: [4], args: [6, true, 0.5], repeats: 2 },
  SPPF: { inChannels: [4], args: [4, 3] },
  C2PSA: { inChannels: [128], args: [128], size: [1, 2] },
  MaxPool2d: { inChannels: [2], args: [3, 1, 1] },
  Upsample: { inChannels: [2], args: [null, 2, "nearest"] },
  Concat: { inChannels: [2, 3], args: [1] },
};

interface Subject {
  readonly module: object;
  readonly inputs: readonly Tensor[];
  readonly forward: (inputs: readonly Tensor[], mode: Mode) => Tensor;
}

const generator = new Generator(7);
const noise = (...shape: number[]): Tensor => rand(shape, { generator, low: -1, high: 1, dtype: "float64" });

function fromRow(name: Named): Subject {
  const { inChannels, args, repeats = 1, size = [3, 2] } = named[name];
  const built = (yoloBlocks satisfies BlockRegistry as BlockRegistry)[name]!({
    where: name,
    inChannels,
    inStrides: inChannels.map(() => 1),
    args,
    repeats,
    scale: { name: "n", depth: 1, width: 1, maxChannels: 1024 },
    fused: false,
    scaleChannels: (channels) => channels,
  }) as BuiltBlock;
  const { module } = built;
  const forward: Subject["forward"] = (inputs, mode) => built.forward(inputs, mode, module);
  return { module, inputs: inChannels.map((c) => noise(2, c, ...size)), forward };
}

const single = (module: { forward(x: Tensor, mode: Mode): Tensor }, ...shape: number[]): Subject => ({
  module,
  inputs: [noise(...shape)],
  forward: ([x], mode) => module.forward(x!, mode),
});

const parts: Readonly<Record<Part, () => Subject>> = {
  Attention: () => single(new Attention(8, { heads: 2 }), 2, 8, 2, 2),
  PSABlock: () => single(new PSABlock(8, { heads: 2 }), 2, 8, 2, 2),
  DFL: () => single(new DFL(4), 2, 16, 3),
  Proto: () => single(new Proto(2, { hidden: 3, masks: 2 }), 2, 2, 2, 2),
  Detect: () => {
    const module = new Detect(2, [2, 3], { strides: [8, 16] });
    return {
      module,
      inputs: [noise(2, 2, 2, 2), noise(2, 3, 1, 1)],
      forward: (inputs, mode) => {
        const { maps, decoded } = module.forward(inputs, mode);
        return (
          decoded ??
          concat(
            maps.map((map) => flatten(map, 2)),
            2,
          )
        );
      },
    };
  },
};

const subjects = new Map<string, () => Subject>([
  ...(Object.keys(named) as Named[]).map((name): [string, () => Subject] => [name, () => fromRow(name)]),
  ...Object.entries(parts),
]);

describe.each([...subjects.keys()])("%s", (name) => {
  test.each<Mode>(["eval", "train"])("has right derivatives in %s mode", (mode) => {
    const { module, inputs, forward } = subjects.get(name)!();
    toDtype(module, "float64");
    const trained = [...namedParameters(module).values()].filter((parameter) => parameter.trainable);
    const run = (...x: Tensor[]): Tensor => forward(x.slice(0, inputs.length), mode);
    expect(gradcheck(run, [...inputs, ...trained])).toBeLessThan(1e-6);
  });
});
