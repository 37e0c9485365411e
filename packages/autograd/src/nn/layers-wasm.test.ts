// Every layer of the table on the wasm device: outputs, gradients for the input and all parameters, statistics, in both modes.
import { add, mul, sum, type Tensor } from "@orepa/tensor";
import { describe, test } from "vitest";
import { valueAndGrad } from "../grad.ts";
import { expectParity, type Subject } from "../testing/wasm-devices.cases.ts";
import { layerCases, layerInput } from "./layer-cases.ts";
import { initialize, type Mode, type Module, namedParameters, namedVariables, toDtype } from "./module.ts";
import { readStateDict } from "./state-dict.ts";

/** The layer with drawn values that are no special case. */
function generic(layer: Module): Module {
  initialize(layer, 1);
  let i = 0;
  for (const variable of namedVariables(layer).values())
    if (variable.dtype !== "int32") variable.assign(add(variable.value, 0.1 * ++i));
  return layer;
}

const subject =
  (name: string, mode: Mode): Subject =>
  (dtype) => {
    const layer = toDtype(generic(layerCases[name]!.make()), dtype);
    const run = (x: Tensor): Record<string, Tensor> => {
      const parameters = namedParameters(layer);
      let output: Tensor | undefined;
      // The square makes the gradient depend on the output's values.
      const { grads } = valueAndGrad(() => {
        output = layer.forward(x, mode);
        return sum(mul(output, output));
      }, [x, ...parameters.values()]);
      return {
        output: output!,
        "grad input": grads.get(x)!,
        ...Object.fromEntries([...parameters].map(([key, p]) => [`grad ${key}`, grads.get(p)!])),
      };
    };
    return {
      inputs: [layerInput(name, dtype)],
      run: run as (...x: Tensor[]) => Record<string, Tensor>,
      after: () => readStateDict(layer),
    };
  };

describe.each(Object.keys(layerCases))("%s on wasm", (name) => {
  test.each<Mode>(["train", "eval"])("agrees in %s mode", (mode) => expectParity(subject(name, mode)));
});
