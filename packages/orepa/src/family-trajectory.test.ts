// The recorded trainings of fixtures/orepa with the blocks of the family: five steps of SGD in float64, RepVGG's own decay among them.
import {
  Linear,
  loadStateDict,
  type Mode,
  type Module,
  namedParameters,
  namedVariables,
  type Parameter,
  ReLU,
  toDtype,
  valueAndGrad,
} from "@orepa/autograd";
import {
  add,
  cast,
  gather,
  logSoftmax,
  mean,
  mul,
  neg,
  reshape,
  slice,
  sub,
  type Tensor,
  zerosLike,
} from "@orepa/tensor";
import { expect, it } from "vitest";
import { expectClose } from "./close.cases.ts";
import { customL2 } from "./custom-l2.ts";
import { createBlock } from "./definitions.ts";
import { part, readReference, referenceNorm } from "./published.cases.ts";
import { loadPublished, publishedState } from "./published.ts";
import type { BlockOptions, RepBlock } from "./rep-block.ts";

/** Five steps multiply what the rounding of the reference to float32 leaves open (1e-4 by its own account). */
const tolerance = 1e-5;
const lastStep = 4;

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

it.each(Object.keys(networks) as (keyof typeof networks)[])("follows %s", (name) => {
  const { tensors, metadata } = readReference(`${name}.safetensors`);
  const { config: text } = metadata as { config: string };
  const config = JSON.parse(text) as {
    readonly momentum: number;
    readonly weight_decay?: number;
    readonly custom_l2?: boolean;
    readonly rules: Readonly<Record<string, readonly [rate: number, decay: number]>>;
  };
  const model = toDtype(new Classifier(networks[name]()), "float64");
  const names = load(model, new Map([...part(tensors, "init."), ...part(tensors, "init_buffer.")]));
  const parameters = [...namedParameters(model)].map(([key, p]) => [names.get(key)!, p] as const);
  expect(parameters.map(([published]) => published).sort()).toEqual(Object.keys(config.rules).sort());

  const momentum = new Map(parameters.map(([key, p]) => [key, zerosLike(p.value)]));
  const labels = reshape(cast(tensors.get("labels")!, "int32"), [6, 1]);
  const check = (key: string, actual: Tensor) => {
    const stored = tensors.get(key)!;
    const [rows] = actual.shape;
    // A sixth row of scales belongs to no branch.
    const expected = key.endsWith("vector") && rows !== stored.shape[0] ? slice(stored, 0, 0, rows) : stored;
    expectClose(key, actual, expected, tolerance);
  };
  for (let step = 0; step <= lastStep; step++) {
    let [logits, crossEntropy]: Tensor[] = [];
    const { value, grads } = valueAndGrad(
      () => {
        logits = model.forward(tensors.get("input")!, "train");
        crossEntropy = neg(mean(gather(logSoftmax(logits, 1), 1, labels)));
        if (!config.custom_l2) return crossEntropy;
        const decay = model.blocks.map(customL2).reduce((a, b) => add(a, b));
        return add(crossEntropy, mul(decay, config.weight_decay! / 2));
      },
      parameters.map(([, p]) => p),
    );
    check(`step${step}.logits`, logits!);
    const losses = tensors.get(`step${step}.loss`)!.toTypedArray();
    expect(Math.abs(crossEntropy!.item() - losses[0]!)).toBeLessThan(tolerance);
    expect(Math.abs(value.item() - losses.at(-1)!)).toBeLessThan(tolerance);
    for (const [key, p] of parameters) {
      const gradient = grads.get(p)!;
      // The files' step0.grad.* hold the gradients of the last step.
      if (step === lastStep) check(`step0.grad.${key}`, gradient);
      descend(p, { gradient, momentum, key, rule: config.rules[key]!, keep: config.momentum });
      if (key.endsWith("vector")) check(`step${step}.${key}`, p.value);
    }
  }
  for (const [key, p] of parameters) {
    check(`final.${key}`, p.value);
    check(`final_momentum.${key}`, momentum.get(key)!);
  }
  for (const [key, { value }] of namedVariables(model)) {
    const published = names.get(key);
    if (/running_(mean|var)$/.test(key)) check(`final_buffer.${published}`, value);
  }
  expectClose("eval_logits", model.forward(tensors.get("input")!, "eval"), tensors.get("eval_logits")!, tolerance);
});

/** b = m b + g + wd p; p = p - lr b. */
function descend(
  p: Parameter,
  given: {
    readonly gradient: Tensor;
    readonly momentum: Map<string, Tensor>;
    readonly key: string;
    readonly rule: readonly [rate: number, decay: number];
    readonly keep: number;
  },
): void {
  const { gradient, momentum, key, keep } = given;
  const [rate, decay] = given.rule;
  const next = add(mul(momentum.get(key)!, keep), add(gradient, mul(p.value, decay)));
  momentum.set(key, next);
  p.assign(sub(p.value, mul(next, rate)));
}

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
