// Every block of the family with reference numbers: outputs, kernels, gradients, statistics, deployed forms, in float64.
import { readdirSync } from "node:fs";
import { namedParameters, namedVariables, valueAndGrad } from "@orepa/autograd";
import { mul, sum, type Tensor, zerosLike } from "@orepa/tensor";
import { describe, expect, it } from "vitest";
import { expectClose } from "./close.cases.ts";
import { customL2 } from "./custom-l2.ts";
import { deploy } from "./deploy.ts";
import { toOffline } from "./offline.ts";
import { hasCustomL2, part, referenceBlock, referenceFolder } from "./published.cases.ts";
import { publishedState } from "./published.ts";
import type { RepBlock } from "./rep-block.ts";

/** Reference values were rounded to float32 once; a gradient sums some hundreds of such products. */
const tolerance = 1e-6;
const files = readdirSync(referenceFolder).filter((name) => /safetensors$/.test(name) && !name.startsWith("traj"));

/** Gradients or values by published names, as a state dict of the block; buffers complete it. */
const asState = (block: RepBlock, tensors: ReadonlyMap<string, Tensor>, values: ReadonlyMap<string, Tensor>) =>
  publishedState(block, new Map([...part(tensors, "param."), ...part(tensors, "buffer."), ...values]));

function check(file: string, options: { readonly mirrored?: boolean } = {}): void {
  const { block, tensors, kind } = referenceBlock(file, options);
  const get = (key: string) => tensors.get(key)!;
  const close = (what: string, actual: Tensor, key = what) => expectClose(what, actual, get(key), tolerance);
  const input = get("input");
  close("eval_before", block.forward(input, "eval"));
  close("branch by branch", toOffline(block).forward(input, "eval"), "eval_before");
  const dense = kind === "RepVGGBlock_OREPA" ? block.branches.find(({ name }) => name === "dense") : block;
  if (tensors.has("kernel")) close("kernel", dense!.kernel());

  const parameters = namedParameters(block);
  let output: Tensor | undefined;
  const { value, grads } = valueAndGrad(() => {
    output = block.forward(input, "train");
    return sum(mul(output, get("R")));
  }, [input, ...parameters.values()]);
  close("output", output!);
  expect(Math.abs(value.item() - get("loss").item())).toBeLessThan(tolerance * Math.sqrt(output!.size));
  close("grad.input", grads.get(input)!);
  const { input: _, ...gradients } = Object.fromEntries(part(tensors, "grad."));
  const expected = asState(block, tensors, new Map(Object.entries(gradients)));
  for (const [key, parameter] of parameters) expectClose(key, grads.get(parameter)!, expected.get(key)!, tolerance);
  const after = asState(block, tensors, part(tensors, "after."));
  for (const [key, { value: statistic }] of namedVariables(block))
    if (/running_(mean|var)$/.test(key)) expectClose(`after ${key}`, statistic, after.get(key)!, tolerance);

  close("eval_output", block.forward(input, "eval"));
  if (tensors.has("deploy.weight")) {
    const { weight, bias } = block.merge();
    close("deploy.weight", weight);
    close("deploy.bias", bias);
    close("deploy_output", deploy(block).forward(input, "eval"));
  }
  expect(deploy(block).deviation).toBeLessThan(1e-13);
  if (hasCustomL2(block)) checkCustomL2(block, tensors);
}

function checkCustomL2(block: RepBlock, tensors: ReadonlyMap<string, Tensor>): void {
  const parameters = namedParameters(block);
  const { value, grads } = valueAndGrad(() => customL2(block), parameters.values());
  const reference = tensors.get("custom_l2")!.toTypedArray()[0]!;
  expect(Math.abs(value.item() - reference)).toBeLessThan(tolerance * Math.abs(reference));
  const zero = new Map([...part(tensors, "param.")].map(([key, t]) => [key, zerosLike(t)]));
  const expected = asState(block, tensors, new Map([...zero, ...part(tensors, "custom_l2_grad.")]));
  for (const [key, parameter] of parameters)
    expectClose(`custom L2, ${key}`, grads.get(parameter)!, expected.get(key)!, tolerance);
}

describe("a block gives the reference numbers", () => {
  it("finds the 33 cases", () => expect(files).toHaveLength(33));
  it.each(files)("%s", (file) => check(file));
  it.each(files.filter((file) => file.startsWith("large")))("%s, its layers mirrored as published", (file) =>
    check(file, { mirrored: true }),
  );
});
