// Every block of the family with reference numbers on wasm, with one thread and two: as close to float64 as the reference's own
// float32 is; in both modes, as it is deployed, its kernel, gradients and statistics.
import { readdirSync } from "node:fs";
import { namedParameters, readStateDict, toDtype, valueAndGrad } from "@orepa/autograd";
import { cast, mul, sum, type Tensor } from "@orepa/tensor";
import { expect, it } from "vitest";
import { expectParity, type Subject } from "../../autograd/src/testing/wasm-devices.cases.ts";
import { deploy } from "./deploy.ts";
import { referenceBlock, referenceFolder } from "./published.cases.ts";

const files = readdirSync(referenceFolder).filter((name) => /safetensors$/.test(name) && !name.startsWith("traj"));

it("finds the 33 cases", () => expect(files).toHaveLength(33));

it.each(files)("%s", async (file) => {
  const subject: Subject = (dtype) => {
    const { block, tensors } = referenceBlock(file);
    toDtype(block, dtype);
    const [deployed, parameters] = [deploy(block), namedParameters(block)];
    const run = (x: Tensor) => {
      const evaluated = { evaluated: block.forward(x, "eval"), deployed: deployed.forward(x, "eval") };
      let output: Tensor | undefined;
      const { grads } = valueAndGrad(() => {
        output = block.forward(x, "train");
        return sum(mul(output, cast(tensors.get("R")!, dtype)));
      }, [x, ...parameters.values()]);
      const gradients = [...parameters].map(([key, p]) => [`grad.${key}`, grads.get(p)!] as const);
      const trained = { output: output!, "grad.input": grads.get(x)!, ...Object.fromEntries(gradients) };
      return { ...evaluated, ...(tensors.has("kernel") && { kernel: block.kernel() }), ...trained };
    };
    return { inputs: [cast(tensors.get("input")!, dtype)], run: (x) => run(x!), after: () => readStateDict(block) };
  };
  await expectParity(subject);
});
