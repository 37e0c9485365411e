// The recorded trainings of fixtures/orepa with the blocks of the family: five steps of SGD, RepVGG's own decay among
// them; in float64, and in float32 on wasm.
import { Linear, loadStateDict, type Mode, type Module, ReLU, toDtype } from "@orepa/autograd";
import { add, mean, mul, type Tensor } from "@orepa/tensor";
import { it } from "vitest";
import { expectSameComputation } from "../../autograd/src/testing/wasm-devices.cases.ts";
import { customL2 } from "./custom-l2.ts";
import { createBlock } from "./definitions.ts";
import { part, referenceNorm } from "./published.cases.ts";
import { loadPublished, publishedState } from "./published.ts";
import type { BlockOptions, RepBlock } from "./rep-block.ts";
import { expectTrajectory, followTrajectory, readTrajectory, type Trainee } from "./trajectory.cases.ts";

class Classifier implements Module {
  readonly blocks: readonly RepBlock[];
  readonly linear = new Linear(8, 4);

  constructor(blocks: readonly RepBlock[]) {
    this.blocks = blocks;
  }
  forward(x: Tensor, mode: Mode): Tensor {
    const y = this.blocks.reduce((map, block) => block.forward(map, mode), x);
    return this.linear.forward(mean(y, [2, 3]));
  }
}

const options = { ...referenceNorm, activation: new ReLU() } satisfies BlockOptions;
const stem = { ...options, kernelSize: 7, stride: 2, mirrored: true };
const point = { ...referenceNorm, kernelSize: 1, activation: false } as const;
const networks = {
  traj_orepa: () => [
    createBlock("orepa-stem", 3, 6, stem),
    createBlock("orepa", 6, 8, options),
    createBlock("orepa", 8, 8, { ...options, stride: 2, groups: 2 }),
    createBlock("orepa-1x1", 8, 8, point),
  ],
  traj_dbb: () => [createBlock("dbb", 3, 6, options), createBlock("dbb", 6, 8, { ...options, stride: 2 })],
  traj_repvgg_orepa: () => [
    createBlock("repvgg-orepa", 3, 8, { ...options, stride: 2 }),
    createBlock("repvgg-orepa", 8, 8, options),
    createBlock("repvgg", 8, 8, options),
  ],
} as const;

const names = Object.keys(networks) as (keyof typeof networks)[];

/** The network of a file with its first values, and RepVGG's own decay where the recorded loss had it. */
function follow(name: keyof typeof networks) {
  const trajectory = readTrajectory(`${name}.safetensors`);
  const { tensors, custom_l2, weight_decay } = trajectory;
  const create = (): Trainee => {
    const model = toDtype(new Classifier(networks[name]()), "float64");
    const penalty = () =>
      mul(
        model.blocks.map(customL2).reduce((a, b) => add(a, b)),
        weight_decay! / 2,
      );
    return {
      model,
      names: load(model, new Map([...part(tensors, "init."), ...part(tensors, "init_buffer.")])),
      ...(custom_l2 && { penalty }),
    };
  };
  return { trajectory, computation: followTrajectory(trajectory, create) };
}

it.each(names)("follows %s", async (name) => {
  const { trajectory, computation } = follow(name);
  expectTrajectory(trajectory, await computation("float64"));
});

/** The gradients of a block are sums of the same cotangents. */
const scale = (key: string) => /^step0\.grad\.blocks\.\d/.exec(key)?.[0] ?? key;
it.each(names)("follows %s on wasm as closely as float32 does, the same bits from one thread and two", (name) =>
  expectSameComputation(follow(name).computation, { scale }),
);

/** Loads block by block, and returns the published names by ours. */
function load(model: Classifier, tensors: ReadonlyMap<string, Tensor>): Map<string, string> {
  const names = new Map<string, string>();
  for (const [i, block] of model.blocks.entries()) {
    const own = part(tensors, `blocks.${i}.`);
    const published = new Map([...own].map(([name, tensor]) => [tensor, name]));
    for (const [key, tensor] of publishedState(block, own)) {
      // Values are passed on as they are, but for scales that lose a row.
      const name = published.get(tensor) ?? (key.endsWith("vector") ? "rbr_dense.vector" : undefined);
      if (name !== undefined) names.set(`blocks.${i}.${key}`, `blocks.${i}.${name}`);
    }
    loadPublished(block, own);
  }
  loadStateDict(model.linear, part(tensors, "linear."));
  for (const key of ["linear.weight", "linear.bias"]) names.set(key, key);
  return names;
}
