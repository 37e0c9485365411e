// Blocks of the family on wasm, with one thread and two: as close to float64 as the reference's own float32 is.
import { namedParameters, readStateDict, toDtype, valueAndGrad } from "@orepa/autograd";
import { cast, mul, sum, type Tensor } from "@orepa/tensor";
import { it } from "vitest";
import { expectParity, type Subject } from "../../autograd/src/testing/wasm-devices.cases.ts";
import { referenceBlock } from "./published.cases.ts";

/** One of each kind; the OREPA block itself is tested in more forms elsewhere. */
const files = [
  "dbb_groups2",
  "dbb_depthwise",
  "large_k5",
  "largebase_k5_groups2",
  "orepa1x1_expand",
  "repvgg_orepa_se",
];

it.each(files)("%s", async (file) => {
  const subject: Subject = (dtype) => {
    const { block, tensors } = referenceBlock(`${file}.safetensors`);
    toDtype(block, dtype);
    const parameters = namedParameters(block);
    const run = (x: Tensor) => {
      const evaluated = block.forward(x, "eval");
      let output: Tensor | undefined;
      const { grads } = valueAndGrad(() => {
        output = block.forward(x, "train");
        return sum(mul(output, cast(tensors.get("R")!, dtype)));
      }, [x, ...parameters.values()]);
      const gradients = [...parameters].map(([key, p]) => [`grad.${key}`, grads.get(p)!] as const);
      return { evaluated, output: output!, "grad.input": grads.get(x)!, ...Object.fromEntries(gradients) };
    };
    return { inputs: [cast(tensors.get("input")!, dtype)], run: (x) => run(x!), after: () => readStateDict(block) };
  };
  await expectParity(subject);
});
