// Every layer of the table: shapes, keys, dtype, gradients for the input and all parameters in both modes.
import { add, type Tensor } from "@orepa/tensor";
import { describe, expect, test } from "vitest";
import { gradcheck } from "../gradcheck.ts";
import { layerCases, layerInput } from "./layer-cases.ts";
import { initialize, type Mode, type Module, namedVariables, parameters, toDtype } from "./module.ts";

const modes: readonly Mode[] = ["train", "eval"];

describe.each(Object.entries(layerCases))("%s", (name, { make, output, keys }) => {
  test.each(modes)("has the declared output shape and keeps float32 in %s mode", (mode) => {
    const y = make().forward(layerInput(name, "float32"), mode);
    expect([y.shape, y.dtype]).toEqual([output, "float32"]);
  });

  test("has PyTorch's state dict keys", () => {
    expect([...namedVariables(make()).keys()]).toEqual(keys);
  });

  test.each(modes)("passes the gradient check for input and parameters in %s mode", (mode) => {
    const layer = generic(make());
    const fresh = (): Module => (keys.length ? layer : make());
    // A layer without Variables is made anew for each evaluation, so that a random one draws the same numbers.
    gradcheck((x: Tensor) => fresh().forward(x, mode), [layerInput(name), ...parameters(layer)]);
  });
});

/** Float64, with drawn values that are no special case: norms do not stay at weight 1, bias 0, mean 0, variance 1. */
function generic(layer: Module): Module {
  initialize(layer, 1);
  toDtype(layer, "float64");
  let i = 0;
  for (const variable of namedVariables(layer).values())
    if (variable.dtype === "float64") variable.assign(add(variable.value, 0.1 * ++i));
  return layer;
}
