// Exponential moving average of a model, with a decay that grows from 0 so that early weights are forgotten soon.
import { add, isFloating, mul, OpError } from "@orepa/tensor";
import { namedVariables } from "../nn/module.ts";
import { complement, type Scalar } from "./scalar.ts";

/** Decay and ramp of YOLO11's recipe. */
const defaultDecay = 0.9999;
const defaultTau = 2000;

/** d = decay (1 - exp(-updates / tau)) for the update number `updates`, counted from 1. */
export const emaDecay = (
  updates: number,
  { decay = defaultDecay, tau = defaultTau }: { readonly decay?: number; readonly tau?: number } = {},
): number => decay * (1 - Math.exp(-updates / tau));

/**
 * average = d average + (1 - d) model over all floating Variables, running statistics too; the others keep their values. Call it after
 * the optimizer: in a compiled step it then sees the new weights and statistics.
 * @param average a second instance of the model
 * @throws OpError if the average lacks an entry of the model
 */
export function updateEma(average: object, model: object, decay: Scalar): void {
  const averages = namedVariables(average);
  const pairs = [...namedVariables(model)].map(([key, variable]) => {
    const target = averages.get(key);
    if (!target)
      throw new OpError("updateEma", `an entry ${key} in the average`, "none", "build both from one definition");
    return { target, variable };
  });
  const fresh = complement(decay);
  for (const { target, variable } of pairs)
    if (isFloating(variable.dtype)) target.assign(add(mul(target.value, decay), mul(variable.value, fresh)));
}
